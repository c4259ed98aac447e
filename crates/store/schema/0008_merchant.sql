-- Merchants, by the name they trade under.
CREATE TABLE merchants (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    customer BIGINT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL
);
CREATE INDEX merchants_by_customer ON merchants (customer, id);
CREATE INDEX merchants_by_name ON merchants (name, id);
