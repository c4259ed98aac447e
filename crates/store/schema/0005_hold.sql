-- Holds on accounts; expires_at in milliseconds since 1970.
CREATE TABLE holds (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    account BIGINT NOT NULL,
    status TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX holds_by_account ON holds (account, id);
CREATE INDEX holds_by_status ON holds (status, id);
