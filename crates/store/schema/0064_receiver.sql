-- Receivers of splits by their payee, merchants both; removed is 1 once it was removed.
CREATE TABLE split_receivers (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    payee BIGINT NOT NULL,
    receiver BIGINT NOT NULL,
    removed BIGINT NOT NULL
);
CREATE INDEX split_receivers_by_payee ON split_receivers (payee, id);
CREATE INDEX split_receivers_by_receiver ON split_receivers (receiver, id);
