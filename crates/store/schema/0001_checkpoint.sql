-- What the store holds: one journal position, and everything of it. One row.
CREATE TABLE checkpoint (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    position BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    epoch BIGINT NOT NULL
);
