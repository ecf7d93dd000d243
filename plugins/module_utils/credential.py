# Credentials that the server mints and a file on a host holds: pre-auth keys of a role, API keys.
from __future__ import annotations

import os

from ansible_collections.meshctl.mesh.plugins.module_utils.mesh import (
    Mesh,
    keep_modes,
    module_of,
    seconds,
    seconds_until,
)

# The options that both modules have.
OPTIONS = dict(
    path=dict(type="path", required=True),
    expires=dict(type="str"),
    min_remaining=dict(type="str", default="1h"),
    state=dict(type="str", choices=["present", "absent", "rotated"], default="present"),
)


def run(options, noun, fits, wishes):
    """Has a credential in a file. `fits` says whether one is of the wanted kind, `wishes` are the flags that make one."""
    module = module_of(dict(OPTIONS, **options), add_file_common_args=True)
    mesh, params = Mesh(module), module.params
    path = params["path"]
    held, works = look(mesh, noun, path)
    if params["state"] == "absent":
        module.exit_json(changed=void(mesh, noun, held) | forget(module, path))
    lasts = works and seconds_until(held["expires"]) > seconds(module, "min_remaining")
    good = lasts and fits(held, params)
    if good and params["state"] == "present":
        changed = keep_modes(module, path, False)
        module.exit_json(changed=changed, path=path, **{noun: held})
    lifetime = ["--expires=" + params["expires"]] if params["expires"] else []
    answer = mesh.write(noun, "create", "--out=" + path, *lifetime, *wishes(params))
    if params["state"] == "rotated":
        void(mesh, noun, held)
    keep_modes(module, path, True)
    made = answer.get(noun)
    module.exit_json(changed=True, path=path, diff=dict(before=told(held), after=told(made)), **{noun: made})


def look(mesh, noun, path):
    """The credential that a file holds and whether it opens anything; what the server does not know as a whole is none."""
    if not os.path.exists(path):
        return None, False
    answer = mesh.call(noun, "verify", path)[1]
    return answer.get(noun), answer.get("works", False)


def void(mesh, noun, held):
    if not held or held["revoked"] is not None:
        return False
    mesh.write(noun, "revoke", str(held["id"]))
    return True


def forget(module, path):
    if not os.path.lexists(path):
        return False
    if not module.check_mode:
        os.unlink(path)
    return True


def told(one):
    """What a difference may show: never the secret."""
    return "%s, until %s\n" % (one["masked"], one["expires"]) if one else ""
