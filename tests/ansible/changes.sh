# Steps of tests/ansible/run: hosts that come, go, and change version. Sourced by it.

newcomer() { play -i tests/ansible/hosts/newcomer.yml "$@" -l spare; }

# The run leaves every host as it was.
changes_nothing() {
    "$@" >"$work/once-more.log" 2>&1 || { cat "$work/once-more.log"; return 1; }
    cat "$work/once-more.log"
    [ "$(changed "$work/once-more.log")" = 0 ]
}

# The run ends with one message that says this, and changes nothing.
refused() {
    local told=$1; shift
    ! "$@" >"$work/refused.log" 2>&1 || { cat "$work/refused.log"; echo "that was not refused"; return 1; }
    cat "$work/refused.log"
    grep -q "\"msg\": \".*$told" "$work/refused.log" && [ "$(changed "$work/refused.log")" = 0 ]
}

# ---- join and leave

joins() {
    tests/ansible/hosts/lab more "$MESHCTL_LAB_PREFIX" "$MESHCTL_LAB_FOLDER" "$cache" &&
        refused 'there is no role nobody' newcomer meshctl.mesh.join -e node_key_role=nobody &&
        newcomer meshctl.mesh.join && newcomer tests/ansible/scenario/joined.yml
}

leaves() { newcomer meshctl.mesh.leave && newcomer tests/ansible/scenario/left.yml; }

# What takes longer: every run twice, whatever is missing, a server that is away, and in again after all.
joins_and_leaves_in_full() {
    refused 'needs node_server_url' newcomer meshctl.mesh.join -e node_server_url= &&
        refused 'none of control is in the group node' play meshctl.mesh.join -l control &&
        refused 'say who leaves' play meshctl.mesh.leave &&
        newcomer meshctl.mesh.join && changes_nothing newcomer meshctl.mesh.join &&
        server stopped && refused 'cannot reach unix' newcomer meshctl.mesh.join &&
        refused 'Nothing was changed' newcomer meshctl.mesh.leave && server started &&
        newcomer meshctl.mesh.leave && changes_nothing newcomer meshctl.mesh.leave &&
        newcomer meshctl.mesh.join && newcomer tests/ansible/scenario/joined.yml &&
        newcomer meshctl.mesh.leave && newcomer tests/ansible/scenario/left.yml
}

server() { ansible -i inventories/lab control -m systemd_service -a "name=meshctl.service state=$1"; }

# ---- another version

# What the repository of these hosts has from now on, beside what it had.
offer() {
    local host
    for host in control web; do
        mkdir -p "$MESHCTL_LAB_FOLDER/$host/root/srv/newer"
        rm -f "$MESHCTL_LAB_FOLDER/$host/root/srv/newer"/*
        cp "$work/versions/$1"/* "$MESHCTL_LAB_FOLDER/$host/root/srv/newer/"
        echo 'deb [trusted=yes] file:/srv/newer ./' >"$MESHCTL_LAB_FOLDER/$host/root/etc/apt/sources.list.d/newer.list"
    done
}

versions() { tests/ansible/hosts/versions "$cache" "$work/versions"; }

upgrade() { play meshctl.mesh.upgrade "$@"; }
upgraded() { play tests/ansible/scenario/upgraded.yml -e meshctl_is="$1"; }

keeps_what_serves() {
    versions && offer refuses &&
        refused 'it takes no configuration.*serves on' upgrade -l control && upgraded 0.1.0
}

goes_back() {
    offer fails && ! upgrade -l control,web >"$work/back.log" 2>&1 && cat "$work/back.log" &&
        grep -q 'it does not serve\|Unable to start.*The one of before serves again' "$work/back.log" && upgraded 0.1.0
}

upgrades() {
    offer works && upgrade -l control,web && upgraded 0.2.0 && changes_nothing upgrade -l control,web &&
        refused 'no server reads what a newer one has written' upgrade -l control -e control_server_package=meshctl=0.1.0 &&
        refused 'no repository of this host has meshctl=9' upgrade -l control -e control_server_package=meshctl=9
}

# The connection to the controller, or the controller, went away when the server was stopped already.
goes_on_after_a_cut() {
    play tests/ansible/scenario/cut-off.yml && upgrade -l control && upgraded 0.2.0
}

# ---- certificates by ACME

offer_certbot() {
    local repository root=$MESHCTL_LAB_FOLDER/control/root
    repository=$(tests/ansible/hosts/certbot "$cache") && cp -r "$repository" "$root/srv/certbot" &&
        echo 'deb [trusted=yes] file:/srv/certbot ./' >"$root/etc/apt/sources.list.d/certbot.list" &&
        ansible -i inventories/lab control -m command -a 'apt-get -qq update'
}

# Pebble on the newcomer's host, whose network has nothing else on it: an authority that looks at the proxy as one outside would.
acme() {
    local at=$work/acme host=$MESHCTL_LAB_FOLDER/spare
    mkdir -p "$at" && offer_certbot || return
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/CN=authority' \
        -keyout "$at/authority.key" -out "$at/authority.csr" 2>/dev/null &&
        openssl x509 -req -in "$at/authority.csr" -CA "$MESHCTL_LAB_FOLDER/ca.pem" -CAkey "$MESHCTL_LAB_FOLDER/ca.key" -CAcreateserial -days 20 \
            -extfile <(echo 'subjectAltName=IP:172.30.0.13') -out "$at/authority.pem" 2>/dev/null || return
    cat >"$at/pebble.json" <<END
{"pebble": {"listenAddress": "172.30.0.13:14000", "managementListenAddress": "172.30.0.13:15000", "httpPort": 80, "tlsPort": 443,
  "certificate": "$at/authority.pem", "privateKey": "$at/authority.key", "retryAfter": {"authz": 1, "order": 1},
  "profiles": {"default": {"description": "for tests", "validityPeriod": 7776000}}}}
END
    PEBBLE_VA_NOSLEEP=1 PEBBLE_WFE_NONCEREJECT=0 nsenter --net="/run/netns/$MESHCTL_LAB_PREFIX-spare" unshare --mount \
        sh -c 'mount --bind "$1" /etc/hosts && exec "$2/pebble" -config "$3"' \
        sh "$host/root/etc/hosts" "$(tests/acme/build)" "$at/pebble.json" >"$at/log" 2>&1 &
    local pebble=$! told=1
    play tests/ansible/scenario/acme.yml && told=0
    [ $told = 0 ] || tail -n 20 "$at/log"
    kill "$pebble" && wait "$pebble" 2>/dev/null
    return $told
}
