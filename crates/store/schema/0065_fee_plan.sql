-- Versions of what merchants pay of their orders: begins in days since 1970.
CREATE TABLE fee_plans (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    merchant BIGINT NOT NULL,
    begins BIGINT NOT NULL
);
CREATE INDEX fee_plans_by_merchant ON fee_plans (merchant, id);
