-- Attempts at channels: purpose is the leg, refund or payout, its id in text; requested_at in milliseconds since 1970.
CREATE TABLE attempts (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    rail TEXT NOT NULL,
    purpose TEXT NOT NULL,
    status TEXT NOT NULL,
    requested_at BIGINT NOT NULL
);
CREATE INDEX attempts_by_purpose ON attempts (purpose, id);
CREATE INDEX attempts_by_status ON attempts (status, id);
