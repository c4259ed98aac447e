-- Payments out of agreement accounts: rule is the rule's number within the agreement, target the account that was paid.
CREATE TABLE agreement_payments (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    agreement BIGINT NOT NULL,
    rule BIGINT,
    target BIGINT NOT NULL
);
CREATE INDEX agreement_payments_by_agreement ON agreement_payments (agreement, id);
CREATE INDEX agreement_payments_by_target ON agreement_payments (target, id);
