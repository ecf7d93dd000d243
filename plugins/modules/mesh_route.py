#!/usr/bin/python
from __future__ import annotations

DOCUMENTATION = r"""
module: mesh_route
short_description: Routes that a device may serve
version_added: 0.1.0
description:
  - Lets a device serve routes that it offers, beside those that it may serve already, or takes routes away from it.
options:
  node:
    description: Name, full name or id of the device.
    type: str
    required: true
  prefixes:
    description: Prefixes such as V(192.168.1.0/24); V(exit) stands for both default routes.
    type: list
    elements: str
    required: true
  state:
    description: Whether the device may serve them.
    type: str
    choices: [approved, revoked]
    default: approved
extends_documentation_fragment: [meshctl.mesh.target]
attributes:
  diff_mode:
    description: Shows the device's approved routes before and after.
    support: full
author: The meshctl authors (@meshctl)
"""

EXAMPLES = r"""
- name: The router of the office serves its network
  meshctl.mesh.mesh_route:
    node: office-router
    prefixes: [192.168.1.0/24]
"""

RETURN = r"""
routes:
  description: What the device offers and may serve.
  returned: always
  type: list
  elements: dict
  sample: [{prefix: 192.168.1.0/24, node: office-router, advertised: true, approved: true, state: serving}]
"""

from ansible_collections.meshctl.mesh.plugins.module_utils.mesh import Mesh, module_of


def of_node(answer, node):
    return [route for route in answer["routes"] if node in (route["node"], str(route["node_id"]))]


def approved(routes):
    return dict(approved=sorted(route["prefix"] for route in routes if route["approved"]))


def main():
    module = module_of(
        dict(
            node=dict(type="str", required=True),
            prefixes=dict(type="list", elements="str", required=True),
            state=dict(type="str", choices=["approved", "revoked"], default="approved"),
        )
    )
    mesh, params = Mesh(module), module.params
    verb = "approve" if params["state"] == "approved" else "revoke"
    label = params["node"].split(".")[0]
    before = of_node(mesh.read("route", "list"), label)
    answer = mesh.write("route", verb, params["node"], *params["prefixes"])
    after = of_node(answer, label)
    diff = dict(before=approved(before), after=approved(after))
    module.exit_json(changed=answer["changed"], routes=after, diff=diff)


if __name__ == "__main__":
    main()
