-- The last report of the agent on each node: a last value, not a change of the mesh, so it is not in the log.
CREATE TABLE agent_report (
    tailnet INTEGER NOT NULL REFERENCES tailnet (id),
    node    INTEGER NOT NULL,
    body    TEXT NOT NULL,
    PRIMARY KEY (tailnet, node)
) STRICT;
