# What the modules of this collection share: how meshctl is found, called and understood.
from __future__ import annotations

import json
import os
import re
from datetime import datetime, timezone

from ansible.module_utils.basic import AnsibleModule

TARGET = dict(
    binary=dict(type="path", default="meshctl"),
    socket=dict(type="path"),
    server=dict(type="str"),
    api_key_file=dict(type="path", no_log=False),
    tailnet=dict(type="str"),
)
UNITS = dict(s=1, m=60, h=3600, d=86400)


def module_of(spec, **rules):
    """A module with these options beside those that say which server is meant."""
    exclusive = [("socket", "server")] + rules.pop("mutually_exclusive", [])
    return AnsibleModule(
        argument_spec=dict(TARGET, **spec),
        mutually_exclusive=exclusive,
        required_by=dict(server=("api_key_file",)),
        supports_check_mode=True,
        **rules,
    )


class Mesh:
    """meshctl, called for a module: what it answers, or the end of the module with what went wrong."""

    def __init__(self, module):
        self.module = module
        params = module.params
        self.binary = self._binary(params["binary"])
        self.flags = ["--json"]
        for name in ("socket", "server", "api_key_file", "tailnet"):
            if params[name]:
                self.flags += ["--" + name.replace("_", "-"), params[name]]
        self._leave_a_bare_host()

    def read(self, *words):
        """The answer of a verb that changes nothing."""
        return self._answer(*self.call(*words))

    def write(self, *words, **options):
        """The answer of a verb that changes something, or would in check mode."""
        check = ["--check"] if self.module.check_mode else []
        return self._answer(*self.call(*words, *check, **options))

    def call(self, *words, **options):
        """Exit code, answer and talk of one call."""
        code, out, talk = self.module.run_command([self.binary, *self.flags, *words], **options)
        try:
            answer = json.loads(out) if out.strip() else {}
        except ValueError:
            self.module.fail_json(msg="meshctl answered something that is no JSON", rc=code)
        return code, answer, talk

    def _answer(self, code, answer, talk):
        problem = answer.get("error")
        if code == 0 and not problem:
            return answer
        problem = problem or dict(detail=talk.strip() or "meshctl ended with %d" % code)
        told = [problem["detail"]]
        told += [json.dumps(mistake, sort_keys=True) for mistake in problem.get("errors", [])]
        told += ["hint: " + problem["hint"]] if problem.get("hint") else []
        self.module.fail_json(msg="\n".join(told), code=problem.get("code", "failed"), rc=code)

    def _binary(self, name):
        if os.path.sep in name:
            return name if os.access(name, os.X_OK) else None
        return self.module.get_bin_path(name)

    def _leave_a_bare_host(self):
        """Check mode runs before anything is installed as well; nobody can be asked there yet."""
        socket = self.module.params["socket"]
        reason = None
        if not self.binary:
            reason = "%s is not installed" % self.module.params["binary"]
        elif socket and not os.path.exists(socket):
            reason = "nobody listens on %s" % socket
        if not reason:
            return
        if self.module.check_mode:
            self.module.exit_json(changed=True, msg="would be set up: %s yet" % reason)
        self.module.fail_json(msg="%s\nhint: the role control_server installs and starts it" % reason)


def seconds(module, name):
    """A lifetime such as 90s, 24h or 7d in seconds; None when it is not given."""
    text = module.params[name]
    if not text:
        return None
    found = re.fullmatch(r"([0-9]+)([smhd])", text)
    if not found:
        module.fail_json(msg="%s: `%s` is no lifetime; it looks like 90s, 24h or 7d" % (name, text))
    return int(found.group(1)) * UNITS[found.group(2)]


def seconds_until(moment):
    """From now to a moment as the server writes it."""
    whole = moment.split(".")[0].rstrip("Z")
    until = datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
    return (until - datetime.now(timezone.utc)).total_seconds()


def keep_modes(module, path, changed):
    """Owner, group and mode of a file that holds a secret, as the task wants them; 0600 without a wish."""
    arguments = module.load_file_common_arguments(dict(module.params, path=path))
    arguments["mode"] = arguments["mode"] or "0600"
    if module.check_mode and not os.path.exists(path):
        return changed
    return module.set_fs_attributes_if_different(arguments, changed)
