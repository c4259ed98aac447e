-- Transfers between own money and reserve; instructed_at in milliseconds since 1970.
CREATE TABLE own_transfers (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    instructed_at BIGINT NOT NULL
);
CREATE INDEX own_transfers_by_status ON own_transfers (status, id);
