#!/usr/bin/python
from __future__ import annotations

DOCUMENTATION = r"""
module: mesh_check
short_description: Checks before a change, after a reset, at an installation
version_added: 0.1.0
description:
  - Runs checks of C(meshctl check) and fails when one of them fails.
  - A check that could not be determined is never a pass. It fails the task too, unless O(accept_unknown) says otherwise.
options:
  stage:
    description: The checks of this stage.
    type: str
    choices: [before-change, after-reset, install]
  only:
    description: These checks alone, and what their own evidence needs.
    type: list
    elements: str
    default: []
  skip:
    description: Leave these checks out.
    type: list
    elements: str
    default: []
  url:
    description: What clients use. What the server tells them without it.
    type: str
  expect:
    description: File of an earlier C(meshctl check --remember), with what there is to find again.
    type: path
  waivers:
    description: File with exceptions.
    type: path
  flags:
    description: Further flags of C(meshctl check), one word each, for example V(--resolver=9.9.9.9).
    type: list
    elements: str
    default: []
  strict:
    description: Whether warnings fail the task.
    type: bool
    default: false
  accept_unknown:
    description: Whether a check that could not be determined lets the task pass.
    type: bool
    default: false
extends_documentation_fragment: [meshctl.mesh.target]
attributes:
  check_mode:
    description: Changes nothing in any mode.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
author: The meshctl authors (@meshctl)
"""

EXAMPLES = r"""
- name: It is safe to change something
  meshctl.mesh.mesh_check:
    stage: before-change
    url: https://mesh.example.com
"""

RETURN = r"""
checks:
  description: Every check with its state, evidence and the line that mends it.
  returned: always
  type: list
  elements: dict
  sample: [{id: stun.answers, state: pass, summary: it answers}]
state:
  description: The worst state.
  returned: always
  type: str
  sample: pass
"""

from ansible_collections.meshctl.mesh.plugins.module_utils.mesh import Mesh, module_of


def words_of(params):
    words = ["check"]
    words += ["--only=" + check for check in params["only"]] + ["--skip=" + check for check in params["skip"]]
    for option in ("stage", "url", "expect", "waivers"):
        if params[option]:
            words.append("--%s=%s" % (option, params[option]))
    return words + params["flags"] + (["--strict"] if params["strict"] else [])


def told(checks, states):
    lines = []
    for check in checks:
        if check["state"] not in states:
            continue
        lines.append("%s %s: %s" % (check["state"], check["id"], check.get("summary", "")))
        lines += ["  mend: %s" % found["fix"] for found in check.get("findings", []) if found.get("fix")]
    return "\n".join(lines)


def main():
    module = module_of(
        dict(
            stage=dict(type="str", choices=["before-change", "after-reset", "install"]),
            only=dict(type="list", elements="str", default=[]),
            skip=dict(type="list", elements="str", default=[]),
            url=dict(type="str"),
            expect=dict(type="path"),
            waivers=dict(type="path"),
            flags=dict(type="list", elements="str", default=[]),
            strict=dict(type="bool", default=False),
            accept_unknown=dict(type="bool", default=False),
        )
    )
    mesh, params = Mesh(module), module.params
    code, answer, talk = mesh.call(*words_of(params))
    if "checks" not in answer:
        problem = answer.get("error", dict(detail=talk.strip()))
        module.fail_json(msg=problem["detail"], code=problem.get("code", "failed"), rc=code)
    result = dict(checks=answer["checks"], state=answer["state"], counts=answer["counts"])
    if code == 0 or (code == 3 and params["accept_unknown"]):
        module.exit_json(changed=False, **result)
    module.fail_json(msg=told(answer["checks"], ("fail", "unknown", "warn")), rc=code, **result)


if __name__ == "__main__":
    main()
