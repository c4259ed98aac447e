-- Transfers between payment accounts: payer and payee are accounts, made_at in milliseconds since 1970.
CREATE TABLE transfers (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    payer BIGINT NOT NULL,
    payee BIGINT NOT NULL,
    made_at BIGINT NOT NULL
);
CREATE INDEX transfers_by_payer ON transfers (payer, id);
CREATE INDEX transfers_by_payee ON transfers (payee, id);
