-- While two Noise keys of the server are accepted: with which of them a machine was last served. The key is the server's, so
-- there is no tailnet. Rows are written a moment late; a machine that is not here was not seen since the rotation.
CREATE TABLE key_use (machine TEXT PRIMARY KEY, key TEXT NOT NULL, at TEXT NOT NULL) STRICT;
