-- Signings of agreements to debit cards; status is its name, such as signed. merchant is null of the institution's own.
CREATE TABLE sign_ups (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    merchant BIGINT,
    payer BIGINT NOT NULL,
    status TEXT NOT NULL
);
CREATE INDEX sign_ups_by_merchant ON sign_ups (merchant, id);
CREATE INDEX sign_ups_by_payer ON sign_ups (payer, id);
