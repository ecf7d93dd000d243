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

# What the repositories of these hosts have from now on, beside what they had.
offer() {
    local host
    for host in control router web; do
        mkdir -p "$MESHCTL_LAB_FOLDER/$host/root/srv/newer"
        rm -f "$MESHCTL_LAB_FOLDER/$host/root/srv/newer"/*
        cp "$work/versions/$1"/* "$MESHCTL_LAB_FOLDER/$host/root/srv/newer/"
        echo 'deb [trusted=yes] file:/srv/newer ./' >"$MESHCTL_LAB_FOLDER/$host/root/etc/apt/sources.list.d/newer.list"
    done
}

# Whether they have more than the newest version.
remember() { # "" or "#"
    sed -i "s|^#*|$1|" "$MESHCTL_LAB_FOLDER"/{control,router,web}/root/etc/apt/sources.list
}

versions() { tests/ansible/hosts/versions "$cache" "$work/versions"; }
client() { dpkg-deb -f "$cache/debs/tailscale.deb" Version; }

upgrade() { play meshctl.mesh.upgrade "$@"; }
upgraded() { play tests/ansible/scenario/upgraded.yml -e meshctl_is="$1" -e others="${2:-web}"; }

# The run ends with one message that says this.
fails_saying() {
    local told=$1 log; shift
    log=$(mktemp "$work/fails.XXXXXX")
    ! "$@" >"$log" 2>&1 || { cat "$log"; echo "that did not fail"; return 1; }
    cat "$log"
    grep -q "\"msg\": \".*$told" "$log"
}

# The server answers while this is done, but for at most so many seconds.
answers_within() {
    local most=$1 pulse rc; shift
    nsenter --net="/run/netns/$MESHCTL_LAB_PREFIX-control" tests/ansible/hosts/pulse http://127.0.0.1:8080/health >"$work/pulse" &
    pulse=$!
    "$@"; rc=$?
    kill "$pulse" && wait "$pulse"
    echo "without an answer of the server: $(cat "$work/pulse") ms at most"
    [ $rc = 0 ] && [ "$(cat "$work/pulse")" -lt $((most * 1000)) ]
}

keeps_what_serves() {
    versions && offer refuses &&
        answers_within 2 refused 'it takes no configuration.*serves on' upgrade -l control && upgraded 0.1.0
}

goes_back() {
    offer fails && fails_saying 'Let the other version serve.*it does not start: it does not serve.*The one of before serves again' \
        upgrade -l control,web && upgraded 0.1.0
}

# A relay, an agent and a client that end as soon as they run: from packages that no repository has any more, and from a file.
others_go_back() {
    local again='works again; no further host is touched' files='{"derp_relay_install": "file", "agent_install": "file"}'
    local here ended='it ends at once'
    here=(-e node_package="tailscale=$(client)")
    remember '#' && offer dies &&
        fails_saying "meshctl failed on router at .*meshctl-relay.service does not start: $ended.*(0.1.0) $again" upgrade -l router "${here[@]}" &&
        fails_saying "meshctl failed on web at .*agent runs.*$ended.*(0.1.0) $again" upgrade -l web "${here[@]}" &&
        offer client-dies && fails_saying "tailscale failed on web at .*$ended.*($(client)) $again" upgrade -l web && remember '' &&
        relay_ends && fails_saying "/usr/bin/meshctl failed on router at .*relay.*0.1.0) $again" upgrade -l router "${here[@]}" \
            -e "$files" -e derp_relay_binary="$work/ends" -e agent_binary="$work/ends" && upgraded 0.1.0 router,web
}

# A program that is whole but for the relay.
relay_ends() {
    mkdir -p "$MESHCTL_LAB_FOLDER/router/root/srv/whole" && cp "$meshctl" "$MESHCTL_LAB_FOLDER/router/root/srv/whole/meshctl" &&
        sed 's|"$0.whole"|/srv/whole/meshctl|; s/ | "agent run"\*//' "$work/versions/dies.program" >"$work/ends"
}

upgrades() {
    offer works && answers_within 5 upgrade -l control,web && upgraded 0.2.0 &&
        refused 'no server reads what a newer one has written' upgrade -l control -e control_server_package=meshctl=0.1.0 &&
        refused 'no repository of this host has meshctl=9' upgrade -l control -e control_server_package=meshctl=9
}

# First what the relay runs, under its clients; then the client of its own host.
upgrades_a_relay() {
    relayed begin && upgrade -l router -e node_package="tailscale=$(client)" && relayed again && upgraded 0.2.0 router &&
        upgrade -l router && relayed end && changes_nothing upgrade
}

relayed() { play tests/ansible/scenario/relay.yml -e stage="$1"; }

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
