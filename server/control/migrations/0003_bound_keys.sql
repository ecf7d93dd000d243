-- The machine that each node key ever registered belongs to. Those of nodes that are here come first; then those that the
-- log remembers, each with the machine that had it first.
CREATE TABLE bound_key (
    node_key TEXT PRIMARY KEY,
    tailnet  INTEGER NOT NULL REFERENCES tailnet (id),
    machine  TEXT NOT NULL
) STRICT;

INSERT INTO bound_key SELECT node_key, tailnet, machine FROM node;

CREATE TEMP TABLE registered AS
SELECT tailnet, seq, subject, body ->> '$.node.node_key' AS node_key, body ->> '$.node.machine' AS machine
FROM (SELECT * FROM event WHERE kind = 'node_registered' AND json_valid(body));

CREATE TEMP TABLE renewed AS
SELECT tailnet, seq, subject, body ->> '$.node_key' AS node_key
FROM (SELECT * FROM event WHERE kind = 'node_reauthenticated' AND json_valid(body));

INSERT OR IGNORE INTO bound_key
SELECT node_key, tailnet, machine FROM (
    SELECT tailnet, seq, node_key, machine FROM registered
    UNION ALL
    SELECT renewed.tailnet, renewed.seq, renewed.node_key, registered.machine
    FROM renewed JOIN registered USING (tailnet, subject)
)
WHERE typeof(node_key) = 'text' AND typeof(machine) = 'text'
ORDER BY seq;

DROP TABLE registered;
DROP TABLE renewed;
