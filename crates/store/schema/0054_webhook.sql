-- Webhooks of merchants: status is its name, such as enabled.
CREATE TABLE webhooks (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    merchant BIGINT NOT NULL,
    status TEXT NOT NULL
);
CREATE INDEX webhooks_by_merchant ON webhooks (merchant, id);
