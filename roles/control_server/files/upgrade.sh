#!/bin/sh
# Another version of the program, and the way back to the one before.
#   upgrade.sh stage package NAME[=VERSION]   fetches it; ends with a line "same: …", "older: …" or "other: …"
#   upgrade.sh stage file                     the same of a program that was brought as new/meshctl
#   upgrade.sh keep                           keeps program and configuration, while the server serves
#   upgrade.sh switch                         stops it, keeps its data, and starts what is in place by then
#   upgrade.sh back                           what was kept serves again
#   upgrade.sh tidy                           takes away what was tried, and everything else but what `back` needs
# MESHCTL_WORK, _PROGRAM, _CONFIG (its folder), _DATA and _SOCKET say where things are.
set -eu
umask 077
export DEBIAN_FRONTEND=noninteractive
work=$MESHCTL_WORK program=$MESHCTL_PROGRAM data=$MESHCTL_DATA
unit=/etc/systemd/system/meshctl.service profile=/etc/apparmor.d/meshctl-server

fail() { echo "$1" >&2; exit 1; }

stage() {
    [ -x "$program" ] && [ -e "$unit" ] || fail "there is no control server on this host: the playbook site installs one"
    # The run before this one was cut off in the middle.
    [ ! -e "$work/old/kept" ] || { back; echo "an upgrade that was cut off was taken back"; }
    version=
    if [ "$1" = package ]; then fetch "$2"; else how=other; ! cmp -s "$work/new/meshctl" "$program" || how=same; fi
    new=$("$work/new/meshctl" --version) || fail "the new program does not run on this host"
    echo "$how: $("$program" --version) -> $new${version:+, package $version}"
}

fetch() {
    rm -rf "$work/new"
    mkdir -p "$work/new"
    cd "$work/new"
    apt-get -qq update || echo "apt-get update failed: what is known of the repositories is used" >&2
    apt-get -qq download "$1" 2>err || { cat err >&2; fail "no repository of this host has $1"; }
    version=$(dpkg-deb -f ./*.deb Version)
    before=$(dpkg-query -W -f '${Version}' "${1%%=*}")
    dpkg-deb --extract ./*.deb files
    mv "files$program" meshctl
    rm -rf files
    mv ./*.deb meshctl.deb
    how=other
    ! dpkg --compare-versions "$version" lt "$before" || how=older
    ! dpkg --compare-versions "$version" eq "$before" || how=same
}

# The package of before too, where a repository still has it: then the way back is known to dpkg as well.
keep() {
    rm -rf "$work/old"
    mkdir -p "$work/old"
    cd "$work/old"
    cp -p "$program" program
    cp -a "$MESHCTL_CONFIG" config
    cp -p "$unit" unit
    [ ! -e "$profile" ] || cp -p "$profile" profile
    if name=$(dpkg-query -S "$program" 2>/dev/null); then
        name=${name%%:*}
        apt-get -qq download "$name=$(dpkg-query -W -f '${Version}' "$name")" 2>/dev/null || true
    fi
    touch kept
}

# A server that ended by itself in between has been started as the other version: there is no data of before any more.
switch() {
    cd "$work/old"
    systemctl daemon-reload
    if runs_kept; then
        touch switched
        systemctl stop meshctl.service
        cp -a "$data" data.part
        mv data.part data
    fi
    touch switched
    [ ! -e "$profile" ] || load
    systemctl restart meshctl.service 2>/dev/null ||
        fail "it does not start: $(journalctl --quiet --lines=1 --output=cat _SYSTEMD_UNIT=meshctl.service)"
}

runs_kept() { cmp -s "$work/old/program" "/proc/$(systemctl show --property=MainPID --value meshctl.service)/exe"; }

# Before the switch nothing was stopped, and nothing has to be.
back() {
    [ -e "$work/old/kept" ] || { serves || fail "the server does not answer: journalctl -u meshctl"; return 0; }
    cd "$work/old"
    { [ ! -e switched ] && runs_kept; } || systemctl stop meshctl.service || true
    for package in ./*.deb; do
        [ ! -e "$package" ] || dpkg --install --force-downgrade --force-confold "$package" >/dev/null || true
    done
    cmp -s program "$program" || { cp -p program "$program.back" && mv "$program.back" "$program"; }
    cp -a config/. "$MESHCTL_CONFIG"
    cp -p unit "$unit"
    [ ! -e profile ] || { cp -p profile "$profile"; load; }
    systemctl daemon-reload
    # The data as they are; those of before only where the program cannot read what the other one made of them.
    serves || serves_data_of_before
    cd /
    rm -rf "$work/old"
}

load() { [ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" != Y ] || apparmor_parser --replace "$profile"; }

serves_data_of_before() {
    systemctl stop meshctl.service || true
    [ -d data ] || fail "the program of before is back and does not serve: journalctl -u meshctl; what was kept is in $work/old"
    mv "$data" "$data.upgrade-$(date -u +%Y%m%dT%H%M%SZ)"
    cp -a data "$data"
    serves || fail "the program of before does not serve with its own data either: journalctl -u meshctl; both are in $work/old"
    echo "the data of before the upgrade are in place; those of the other version are in $data.upgrade-*"
}

serves() {
    systemctl reset-failed meshctl.service 2>/dev/null || true
    systemctl start meshctl.service || return 1
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        ! "$program" --socket "$MESHCTL_SOCKET" --json server status >/dev/null 2>&1 || return 0
        sleep 1
    done
    return 1
}

case $1 in
    stage) stage "$2" "${3:-}" ;;
    keep) keep ;;
    switch) switch ;;
    back) back ;;
    tidy) rm -rf "$work/new"; [ -e "$work/old/kept" ] || rm -rf "$work" ;;
esac
