#!/usr/bin/python
from __future__ import annotations

DOCUMENTATION = r"""
module: mesh_user
short_description: A person who is responsible for devices
version_added: 0.1.0
description:
  - Makes a person known to the server, or forgets one who is responsible for nothing.
options:
  login:
    description: Unique name, V(alice) or V(alice@example.com).
    type: str
    required: true
  display_name:
    description: What people read. Counts when the person is made known; the login without it.
    type: str
  state:
    description: Whether the person is known.
    type: str
    choices: [present, absent]
    default: present
extends_documentation_fragment: [meshctl.mesh.target]
attributes:
  diff_mode:
    description: Shows the person before and after.
    support: full
author: The meshctl authors (@meshctl)
"""

EXAMPLES = r"""
- name: Alice is responsible for devices
  meshctl.mesh.mesh_user:
    login: alice@example.com
    display_name: Alice Example
"""

RETURN = r"""
user:
  description: The person as the server knows them.
  returned: when there is one
  type: dict
  sample: {id: 1, login: alice@example.com, display_name: Alice Example, node_count: 0}
"""

from ansible_collections.meshctl.mesh.plugins.module_utils.mesh import Mesh, module_of


def main():
    module = module_of(
        dict(
            login=dict(type="str", required=True),
            display_name=dict(type="str"),
            state=dict(type="str", choices=["present", "absent"], default="present"),
        )
    )
    mesh, params = Mesh(module), module.params
    users = mesh.read("user", "list")["users"]
    known = next((user for user in users if user["login"] == params["login"]), None)
    if (known is not None) == (params["state"] == "present"):
        module.exit_json(changed=False, user=known)
    if params["state"] == "absent":
        mesh.write("user", "delete", params["login"])
        module.exit_json(changed=True, diff=dict(before=known, after={}))
    name = ["--display-name", params["display_name"]] if params["display_name"] else []
    user = mesh.write("user", "create", params["login"], *name).get("user")
    module.exit_json(changed=True, user=user, diff=dict(before={}, after=dict(login=params["login"])))


if __name__ == "__main__":
    main()
