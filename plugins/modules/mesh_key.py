#!/usr/bin/python
from __future__ import annotations

DOCUMENTATION = r"""
module: mesh_key
short_description: A pre-auth key of a role in a file
version_added: 0.1.0
description:
  - Has a key with which devices join in a file on the host that the task runs on. The secret goes from the server into
    that file; it is in no result, difference or log.
  - There is no key without a role.
options:
  role:
    description: What its devices will be.
    type: str
    required: true
  path:
    description: The file, V(0600) unless O(mode) says otherwise. What stands in it counts, not whether it is there.
    type: path
    required: true
  user:
    description: The person responsible. Grants nothing.
    type: str
  expires:
    description: Lifetime of a new key, for example V(90s), V(24h) or V(7d). That of the role without it.
    type: str
  min_remaining:
    description: A key that ends sooner than this is replaced by a new one.
    type: str
    default: 1h
  reusable:
    description: Whether it may let several devices in. What the role says without it.
    type: bool
  ephemeral:
    description: Whether its devices are forgotten when they go away. What the role says without it.
    type: bool
  allow_no_access:
    description: Make it even if its devices could reach nothing and be reached by nothing.
    type: bool
    default: false
  state:
    description:
      - With V(present) the file holds a key that still lets a device in.
      - With V(rotated) it holds a new one, and the one before is void.
      - With V(absent) the key that it held is void and the file gone.
    type: str
    choices: [present, absent, rotated]
    default: present
extends_documentation_fragment: [meshctl.mesh.target, ansible.builtin.files]
attributes:
  diff_mode:
    description: Shows the masked text of the key before and after.
    support: full
author: The meshctl authors (@meshctl)
"""

EXAMPLES = r"""
- name: A key for one server, good for an hour
  meshctl.mesh.mesh_key:
    role: server
    expires: 1h
    reusable: false
    min_remaining: 5m
    path: /root/server.key
"""

RETURN = r"""
key:
  description: The key without its secret.
  returned: when there is one
  type: dict
  sample: {id: 3, masked: mk-auth-3-…, role: server, tags: ["tag:server"], reusable: false}
path:
  description: The file that holds the secret.
  returned: when there is one
  type: str
  sample: /root/server.key
"""

from ansible_collections.meshctl.mesh.plugins.module_utils import credential


def fits(key, params):
    same = all(params[name] is None or key[name] == params[name] for name in ("user", "reusable", "ephemeral"))
    return same and key["role"] == params["role"]


def wishes(params):
    words = ["--role=" + params["role"]]
    words += ["--user=" + params["user"]] if params["user"] else []
    words += ["--allow-no-access"] if params["allow_no_access"] else []
    words += ["--ephemeral"] if params["ephemeral"] else []
    if params["reusable"] is not None:
        words.append("--reusable" if params["reusable"] else "--single-use")
    return words


def main():
    options = dict(
        role=dict(type="str", required=True),
        user=dict(type="str"),
        reusable=dict(type="bool"),
        ephemeral=dict(type="bool"),
        allow_no_access=dict(type="bool", default=False),
    )
    credential.run(options, "key", fits, wishes)


if __name__ == "__main__":
    main()
