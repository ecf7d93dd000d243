-- Nameservers and extra names. Without a row the configuration's start values hold.
CREATE TABLE dns (
    tailnet INTEGER PRIMARY KEY REFERENCES tailnet (id),
    body    TEXT NOT NULL
) STRICT;
