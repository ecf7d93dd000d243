-- Rows that a start could not read. They are out of their tables, so that what they held alone can be given again, and
-- nothing of them is lost: `row` is the whole row, its `body` included.
CREATE TABLE unreadable (
    id      INTEGER PRIMARY KEY,
    tailnet INTEGER NOT NULL REFERENCES tailnet (id),
    found   TEXT NOT NULL, -- RFC 3339
    noun    TEXT NOT NULL, -- the table it was in
    row     TEXT NOT NULL  -- JSON, one key per column
) STRICT;
