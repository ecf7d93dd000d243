-- Every table carries the tailnet. The columns beside `body` exist for the constraints that the database itself keeps;
-- `body` is the noun as the World knows it (JSON, fields only ever added).
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;

CREATE TABLE tailnet (
    id            INTEGER PRIMARY KEY,
    name          TEXT NOT NULL UNIQUE,
    next_node     INTEGER NOT NULL,
    next_user     INTEGER NOT NULL,
    next_auth_key INTEGER NOT NULL,
    next_api_key  INTEGER NOT NULL,
    head_seq      INTEGER NOT NULL,
    head_hash     BLOB NOT NULL,
    policy        TEXT
) STRICT;

CREATE TABLE person (
    tailnet INTEGER NOT NULL REFERENCES tailnet (id),
    id      INTEGER NOT NULL,
    login   TEXT NOT NULL,
    body    TEXT NOT NULL,
    PRIMARY KEY (tailnet, id),
    UNIQUE (tailnet, login)
) STRICT;

CREATE TABLE node (
    tailnet  INTEGER NOT NULL REFERENCES tailnet (id),
    id       INTEGER NOT NULL UNIQUE,
    machine  TEXT NOT NULL,
    owner    INTEGER NOT NULL, -- 0: its tags
    node_key TEXT NOT NULL UNIQUE,
    name     TEXT NOT NULL,
    v4       TEXT NOT NULL,
    v6       TEXT NOT NULL,
    body     TEXT NOT NULL,
    PRIMARY KEY (tailnet, id),
    UNIQUE (tailnet, machine, owner),
    UNIQUE (tailnet, name),
    UNIQUE (tailnet, v4),
    UNIQUE (tailnet, v6)
) STRICT;

-- Last values, written some seconds late and rebuilt by a client's next report.
CREATE TABLE live (
    tailnet   INTEGER NOT NULL REFERENCES tailnet (id),
    node      INTEGER NOT NULL,
    disco     TEXT,
    endpoints TEXT NOT NULL,
    home_derp INTEGER NOT NULL,
    capver    INTEGER NOT NULL,
    online    INTEGER NOT NULL,
    last_seen TEXT,
    PRIMARY KEY (tailnet, node)
) STRICT;

CREATE TABLE route_primary (
    tailnet INTEGER NOT NULL REFERENCES tailnet (id),
    prefix  TEXT NOT NULL,
    node    INTEGER NOT NULL,
    PRIMARY KEY (tailnet, prefix)
) STRICT;

CREATE TABLE role (
    tailnet INTEGER NOT NULL REFERENCES tailnet (id),
    name    TEXT NOT NULL,
    body    TEXT NOT NULL,
    PRIMARY KEY (tailnet, name)
) STRICT;

CREATE TABLE auth_key (
    tailnet INTEGER NOT NULL REFERENCES tailnet (id),
    id      INTEGER NOT NULL UNIQUE,
    body    TEXT NOT NULL,
    PRIMARY KEY (tailnet, id)
) STRICT;

CREATE TABLE api_key (
    tailnet INTEGER NOT NULL REFERENCES tailnet (id),
    id      INTEGER NOT NULL UNIQUE,
    body    TEXT NOT NULL,
    PRIMARY KEY (tailnet, id)
) STRICT;

CREATE TABLE event (
    tailnet INTEGER NOT NULL REFERENCES tailnet (id),
    seq     INTEGER NOT NULL,
    at      TEXT NOT NULL,
    actor   TEXT NOT NULL,
    source  TEXT NOT NULL,
    kind    TEXT NOT NULL,
    v       INTEGER NOT NULL,
    subject TEXT NOT NULL,
    body    TEXT NOT NULL,
    prev    BLOB NOT NULL,
    hash    BLOB NOT NULL,
    PRIMARY KEY (tailnet, seq)
) STRICT;

CREATE INDEX event_subject ON event (tailnet, subject, seq);
