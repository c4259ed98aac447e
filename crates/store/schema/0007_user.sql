-- Users: a customer in one product.
CREATE TABLE users (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    customer BIGINT NOT NULL,
    product TEXT NOT NULL
);
CREATE INDEX users_by_customer ON users (customer, id);
CREATE INDEX users_by_product ON users (product, id);
