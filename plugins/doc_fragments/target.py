# Which server a module talks to: the options that all modules of this collection share.
from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  binary:
    description: The C(meshctl) to call, by name or path, on the host that the task runs on.
    type: path
    default: meshctl
  socket:
    description:
      - Local socket of the server.
      - Without O(socket) and O(server) it is found as by every verb of C(meshctl).
    type: path
  server:
    description: URL of the server. Needs O(api_key_file).
    type: str
  api_key_file:
    description: File with the API key for O(server), on the host that the task runs on.
    type: path
  tailnet:
    description: Which mesh of that server.
    type: str
attributes:
  check_mode:
    description: Says what would change and changes nothing. On a host without C(meshctl) it says that something would.
    support: full
notes:
  - Runs on a host that has C(meshctl); on the server itself the local socket needs root or the server's own user.
"""
