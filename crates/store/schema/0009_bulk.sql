-- Streams of bulk postings.
CREATE TABLE streams (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    name TEXT NOT NULL
);
CREATE INDEX streams_by_name ON streams (name, id);
