-- Versions of plans of card fees: begins in days since 1970.
CREATE TABLE card_fee_plans (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    code TEXT NOT NULL,
    begins BIGINT NOT NULL
);
CREATE INDEX card_fee_plans_by_code ON card_fee_plans (code, id);

-- Versions of what card schemes cost: begins in days since 1970.
CREATE TABLE card_costs (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    scheme TEXT NOT NULL,
    begins BIGINT NOT NULL
);
