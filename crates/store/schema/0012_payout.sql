-- Payouts and withdrawals; created_at in milliseconds since 1970. Whose bank account it is lies sealed in the blob.
CREATE TABLE payouts (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    kind TEXT NOT NULL,
    account BIGINT NOT NULL,
    status TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX payouts_by_account ON payouts (account, id);
CREATE INDEX payouts_by_status ON payouts (status, id);
