-- Customers: personal fields lie sealed in the blob, never in a column.
CREATE TABLE customers (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    kind TEXT NOT NULL
);
