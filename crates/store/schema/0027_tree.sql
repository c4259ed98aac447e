-- Parent and child accounts: links, current and ended.
CREATE TABLE tree_links (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    parent BIGINT NOT NULL,
    child BIGINT NOT NULL,
    status TEXT NOT NULL
);
CREATE INDEX tree_links_by_parent ON tree_links (parent, id);
CREATE INDEX tree_links_by_child ON tree_links (child, id);
-- Runs of sweeps and allocations: date is the accounting day.
CREATE TABLE tree_runs (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    parent BIGINT NOT NULL,
    cause TEXT NOT NULL,
    date BIGINT NOT NULL
);
CREATE INDEX tree_runs_by_parent ON tree_runs (parent, id);
-- What holds used of quotas.
CREATE TABLE quota_charges (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL
);
