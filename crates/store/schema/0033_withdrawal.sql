-- Plans of automatic withdrawals. Whose bank account it is lies sealed in the blob.
CREATE TABLE withdrawal_plans (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    account BIGINT NOT NULL,
    status TEXT NOT NULL
);
CREATE INDEX withdrawal_plans_by_account ON withdrawal_plans (account, id);
CREATE INDEX withdrawal_plans_by_status ON withdrawal_plans (status, id);

-- Batches of automatic withdrawals: date in days since 1970.
CREATE TABLE withdrawal_batches (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    date BIGINT NOT NULL,
    number BIGINT NOT NULL
);
CREATE INDEX withdrawal_batches_by_date ON withdrawal_batches (date, id);

-- Automatic withdrawals: batch is the one that tried last.
CREATE TABLE withdrawals (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    plan BIGINT NOT NULL,
    batch BIGINT NOT NULL,
    account BIGINT NOT NULL,
    status TEXT NOT NULL
);
CREATE INDEX withdrawals_by_plan ON withdrawals (plan, id);
CREATE INDEX withdrawals_by_batch ON withdrawals (batch, id);
CREATE INDEX withdrawals_by_account ON withdrawals (account, id);
CREATE INDEX withdrawals_by_status ON withdrawals (status, id);

-- Rules whether failures of a channel's code are tried again.
CREATE TABLE retry_rules (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    code TEXT NOT NULL
);
CREATE INDEX retry_rules_by_code ON retry_rules (code, id);

-- What customers are to be told: read in the order of the ids.
CREATE TABLE notices (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    customer BIGINT NOT NULL,
    kind TEXT NOT NULL,
    withdrawal BIGINT NOT NULL
);
CREATE INDEX notices_by_customer ON notices (customer, id);
CREATE INDEX notices_by_withdrawal ON notices (withdrawal, id);
