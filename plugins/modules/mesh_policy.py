#!/usr/bin/python
from __future__ import annotations

DOCUMENTATION = r"""
module: mesh_policy
short_description: The policy, who may reach what
version_added: 0.1.0
description:
  - Puts a policy in force. Mistakes are told with line and column, and then nothing changes.
  - A policy that gives anybody more than the one in force is refused unless O(accept_widening) says that it is meant.
options:
  content:
    description: The policy in HuJSON.
    type: str
  path:
    description: File with the policy on the host that the task runs on.
    type: path
  message:
    description: Why, for those who read the history.
    type: str
  accept_widening:
    description: Somebody gains something by this policy, and that is meant.
    type: bool
    default: false
  if_match:
    description: Refuse when the policy in force is another one than this, as C(meshctl policy get --json) names it.
    type: str
extends_documentation_fragment: [meshctl.mesh.target]
attributes:
  diff_mode:
    description: Shows the text in force before and after.
    support: full
author: The meshctl authors (@meshctl)
"""

EXAMPLES = r"""
- name: The policy of this folder is in force
  meshctl.mesh.mesh_policy:
    content: "{{ lookup('file', 'policy.hujson') }}"
    message: "{{ change_reason }}"
"""

RETURN = r"""
etag:
  description: The name of the policy in force.
  returned: when there is one
  type: str
  sample: bed2a8f7bd773e2e12785358c3666da7
version:
  description: How many policies there have been.
  returned: when there is one
  type: int
  sample: 3
"""

from ansible_collections.meshctl.mesh.plugins.module_utils.mesh import Mesh, module_of


def main():
    module = module_of(
        dict(
            content=dict(type="str"),
            path=dict(type="path"),
            message=dict(type="str"),
            accept_widening=dict(type="bool", default=False),
            if_match=dict(type="str"),
        ),
        mutually_exclusive=[("content", "path")],
        required_one_of=[("content", "path")],
    )
    mesh, params = Mesh(module), module.params
    before = mesh.read("policy", "get").get("policy") or ""
    words = ["policy", "set", params["path"] or "-"]
    words += ["--message=" + params["message"]] if params["message"] else []
    words += ["--accept-widening"] if params["accept_widening"] else []
    words += ["--if-match=" + params["if_match"]] if params["if_match"] else []
    answer = mesh.write(*words, data=params["content"])
    after = answer.get("policy") or params["content"] or before
    diff = dict(before=before, after=after, before_header="in force", after_header="in force from now on")
    module.exit_json(changed=answer["changed"], etag=answer.get("etag"), version=answer.get("version"), diff=diff)


if __name__ == "__main__":
    main()
