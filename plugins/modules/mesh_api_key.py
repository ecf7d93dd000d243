#!/usr/bin/python
from __future__ import annotations

DOCUMENTATION = r"""
module: mesh_api_key
short_description: A credential of the admin API in a file
version_added: 0.1.0
description:
  - Has an API key in a file on the host that the task runs on. The secret goes from the server into that file; it is in no
    result, difference or log.
options:
  path:
    description: The file, V(0600) unless O(mode) says otherwise. What stands in it counts, not whether it is there.
    type: path
    required: true
  description:
    description: What it is for, for people.
    type: str
    default: ""
  scopes:
    description: What it may do, such as V(all), V(all:read) or V(node:read). All that its maker may without it.
    type: list
    elements: str
    default: []
  expires:
    description: Lifetime of a new one, for example V(30d). 90 days without it.
    type: str
  min_remaining:
    description: One that ends sooner than this is replaced by a new one.
    type: str
    default: 1h
  state:
    description:
      - With V(present) the file holds one that opens the API.
      - With V(rotated) it holds a new one, and the one before is void.
      - With V(absent) the one that it held is void and the file gone.
    type: str
    choices: [present, absent, rotated]
    default: present
extends_documentation_fragment: [meshctl.mesh.target, ansible.builtin.files]
attributes:
  diff_mode:
    description: Shows the masked text before and after.
    support: full
author: The meshctl authors (@meshctl)
"""

EXAMPLES = r"""
- name: Headplane has a key that lives on for a month at least
  meshctl.mesh.mesh_api_key:
    description: headplane
    expires: 90d
    min_remaining: 30d
    path: /etc/headplane/api.key
"""

RETURN = r"""
apikey:
  description: The credential without its secret.
  returned: when there is one
  type: dict
  sample: {id: 2, masked: mk-api-2-…, description: headplane, scopes: [all]}
path:
  description: The file that holds the secret.
  returned: when there is one
  type: str
  sample: /etc/headplane/api.key
"""

from ansible_collections.meshctl.mesh.plugins.module_utils import credential


def fits(apikey, params):
    scopes = params["scopes"]
    return apikey["description"] == params["description"] and (not scopes or sorted(scopes) == sorted(apikey["scopes"]))


def wishes(params):
    return ["--description=" + params["description"]] + ["--scope=" + scope for scope in params["scopes"]]


def main():
    options = dict(
        description=dict(type="str", default=""),
        scopes=dict(type="list", elements="str", default=[]),
    )
    credential.run(options, "apikey", fits, wishes)


if __name__ == "__main__":
    main()
