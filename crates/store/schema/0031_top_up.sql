-- Top-ups; created_at in milliseconds since 1970.
CREATE TABLE top_ups (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    account BIGINT NOT NULL,
    status TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX top_ups_by_account ON top_ups (account, id);
CREATE INDEX top_ups_by_status ON top_ups (status, id);
