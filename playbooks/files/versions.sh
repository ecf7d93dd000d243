#!/bin/sh
# What a host runs, before another version of it is put in place, and the way back to it.
#   versions.sh keep WHAT            WHAT is a package, or the path of a program; prints the version that is kept
#   versions.sh restart UNIT...      restarts those whose program is no longer the file it was started from, and names them
#   versions.sh back WHAT UNIT...    that version is in place again, and runs
#   versions.sh tidy                 takes away what was kept
set -eu
umask 077
export DEBIAN_FRONTEND=noninteractive SYSTEMD_COLORS=0
kept=/var/lib/meshctl-before

keep() {
    rm -rf "$kept"
    trap 'rm -rf "$kept"' EXIT
    mkdir -p "$kept"
    cd "$kept"
    case $1 in
        /*) cp -p "$1" program && "$1" --version ;;
        *) dpkg-query -W -f '${Version}\n' "$1" && pack "$1" ;;
    esac
    trap - EXIT
}

# The package anew, of what is installed: many repositories have the newest version alone.
pack() {
    mkdir -p whole/DEBIAN
    chmod 755 whole whole/DEBIAN
    dpkg-query --status "$1" | awk '/^[^ ]/ { skip = /^(Conffiles|Status):/ } !skip' >whole/DEBIAN/control
    for part in $(dpkg-query --control-list "$1"); do
        [ "$part" = md5sums ] || cp -p "$(dpkg-query --control-path "$1" "$part")" whole/DEBIAN/
    done
    dpkg-query --listfiles "$1" | while read -r file; do
        [ -d "$file" ] || [ ! -e "$file" ] || (cd / && cp -a --parents ".$file" "$kept/whole/")
    done
    dpkg-deb -Znone --build whole package.deb >/dev/null
    rm -rf whole
}

is_stale() {
    case $(readlink "/proc/$(systemctl show --property=MainPID --value "$1")/exe" || true) in
        *' (deleted)') ;;
        *) return 1 ;;
    esac
}

restart() {
    for unit in "$@"; do
        is_stale "$unit" || continue
        start_again "$unit"
        echo "$unit"
    done
}

# What is said last is told to the operator: the program's own last words.
start_again() {
    systemctl restart "$1" 2>/dev/null || {
        pid=$(systemctl show --property=ExecMainPID --value "$1")
        echo "$1 does not start: $(journalctl --quiet --lines=1 --output=cat "_SYSTEMD_UNIT=$1" "_PID=$pid")"
        exit 1
    }
}

back() {
    what=$1
    shift
    if [ -e "$kept/package.deb" ]; then
        apt-get -qq -o DPkg::Lock::Timeout=60 -o Dpkg::Options::=--force-confold install --yes --allow-downgrades \
            --no-install-recommends "$kept/package.deb" >/dev/null
    else
        cp -p "$kept/program" "$what.back" && mv "$what.back" "$what"
    fi
    systemctl daemon-reload
    for unit in "$@"; do
        # One that failed too often is not started any more by itself.
        systemctl reset-failed "$unit" 2>/dev/null || true
        ! systemctl is-active --quiet "$unit" || is_stale "$unit" || continue
        start_again "$unit"
    done
}

case $1 in
    keep) keep "$2" ;;
    restart) shift; restart "$@" ;;
    back) shift; back "$@" ;;
    tidy) rm -rf "$kept" ;;
esac
