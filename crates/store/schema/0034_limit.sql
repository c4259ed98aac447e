-- Versions of the limits: begins in days since 1970.
CREATE TABLE limit_policies (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    begins BIGINT NOT NULL
);

-- Classes and sums of personal payment accounts; the id is the account's. class is empty where none was set.
CREATE TABLE account_limits (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    class TEXT
);
CREATE INDEX account_limits_by_class ON account_limits (class, id);

-- Sums of customers of a year and a day in it; the id is the customer's.
CREATE TABLE customer_uses (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    year BIGINT NOT NULL
);
