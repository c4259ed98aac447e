-- Versions of the weights of channels' sites; rail by its name, version of the rail's own.
CREATE TABLE site_weights (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    rail TEXT NOT NULL,
    version BIGINT NOT NULL
);
CREATE INDEX site_weights_by_rail ON site_weights (rail, id);
