#!/bin/sh
# Restarts those of the named units whose program is no longer the file it was started from, and names them.
set -eu
for unit in "$@"; do
    pid=$(systemctl show --property=MainPID --value "$unit")
    case $(readlink "/proc/$pid/exe" || true) in
        *' (deleted)') systemctl restart "$unit" && echo "$unit" ;;
    esac
done
