-- Entries of one kind are found without reading the others.
CREATE INDEX event_kind ON event (tailnet, kind, seq);

-- The policies that were in force, without their texts: a text stands in the event of its `seq`.
CREATE TABLE policy_version (
    tailnet INTEGER NOT NULL REFERENCES tailnet (id),
    version INTEGER NOT NULL, -- from 1, without gaps
    seq     INTEGER NOT NULL,
    at      TEXT NOT NULL,
    actor   TEXT NOT NULL,
    source  TEXT NOT NULL,
    message TEXT NOT NULL,
    bytes   INTEGER NOT NULL,
    PRIMARY KEY (tailnet, version)
) STRICT;

INSERT INTO policy_version
SELECT tailnet, row_number() OVER (PARTITION BY tailnet ORDER BY seq), seq, at, actor, source,
       coalesce(body ->> 'message', ''), length(CAST(body ->> 'policy' AS BLOB))
FROM event WHERE kind = 'policy_set' AND body ->> 'policy' IS NOT NULL;
