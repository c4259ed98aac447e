-- Versions of sets of terminals' parameters; name is the set's, version the set's own.
CREATE TABLE parameter_sets (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    name TEXT NOT NULL,
    version BIGINT NOT NULL
);
CREATE INDEX parameter_sets_by_name ON parameter_sets (name, id);
