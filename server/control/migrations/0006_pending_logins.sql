-- Devices that wait to be let in. They are nobody's yet, so nothing of them is in the log.
CREATE TABLE pending_login (
    tailnet INTEGER NOT NULL REFERENCES tailnet (id),
    code    TEXT PRIMARY KEY,
    expires INTEGER NOT NULL, -- seconds since 1970
    body    TEXT NOT NULL
) STRICT;
