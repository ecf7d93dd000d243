#!/usr/bin/python
from __future__ import annotations

DOCUMENTATION = r"""
module: mesh_role
short_description: A key role, what devices may be
version_added: 0.1.0
description:
  - Sets or forgets a key role, a named set of tags with defaults and limits for the keys that are made for it.
  - Key roles have nothing to do with roles of Ansible.
options:
  name:
    description: Lower-case letters, digits and hyphens.
    type: str
    required: true
  tags:
    description: All tags of its devices. The policy must know them. A new role needs them.
    type: list
    elements: str
  description:
    description: For people.
    type: str
  expires:
    description: Lifetime of its keys, for example V(24h) or V(90d).
    type: str
  reusable:
    description: Whether one of its keys may let several devices in.
    type: bool
  ephemeral:
    description: Whether its devices are forgotten when they go away.
    type: bool
  node_expires:
    description: How long the keys of its devices are accepted, for example V(90d), or V(never).
    type: str
  state:
    description: Whether there is such a role. What is not named stays as it is.
    type: str
    choices: [present, absent]
    default: present
extends_documentation_fragment: [meshctl.mesh.target]
attributes:
  diff_mode:
    description: Shows the role before and after.
    support: full
author: The meshctl authors (@meshctl)
"""

EXAMPLES = r"""
- name: Servers join with keys of this role
  meshctl.mesh.mesh_role:
    name: server
    tags: ["tag:server"]
    description: machines in the racks
    expires: 24h
"""

RETURN = r"""
role:
  description: The role as the server knows it.
  returned: when there is one
  type: dict
  sample: {name: server, tags: ["tag:server"], description: machines in the racks}
"""

from ansible_collections.meshctl.mesh.plugins.module_utils.mesh import Mesh, module_of


def wishes(params):
    words = ["--tag=" + tag for tag in params["tags"] or []]
    for option, flag in (("description", "--description"), ("expires", "--expires"), ("node_expires", "--node-expires")):
        if params[option] is not None:
            words.append("%s=%s" % (flag, params[option]))
    for option, yes, no in (("reusable", "--reusable", "--single-use"), ("ephemeral", "--ephemeral", "--lasting")):
        if params[option] is not None:
            words.append(yes if params[option] else no)
    return words


def main():
    module = module_of(
        dict(
            name=dict(type="str", required=True),
            tags=dict(type="list", elements="str"),
            description=dict(type="str"),
            expires=dict(type="str"),
            reusable=dict(type="bool"),
            ephemeral=dict(type="bool"),
            node_expires=dict(type="str"),
            state=dict(type="str", choices=["present", "absent"], default="present"),
        )
    )
    mesh, params = Mesh(module), module.params
    roles = mesh.read("role", "list")["roles"]
    before = next((role for role in roles if role["name"] == params["name"]), None)
    if params["state"] == "absent":
        if before:
            mesh.write("role", "delete", params["name"])
        module.exit_json(changed=bool(before), diff=dict(before=before or {}, after={}))
    answer = mesh.write("role", "set", params["name"], *wishes(params))
    after = answer.get("role")
    module.exit_json(changed=answer["changed"], role=after, diff=dict(before=before or {}, after=after or {}))


if __name__ == "__main__":
    main()
