-- Idempotency keys; scope and key are UTF-8 texts kept as bytes, month is as in 202603.
CREATE TABLE idempotency_keys (
    scope BYTEA NOT NULL,
    key BYTEA NOT NULL,
    position BIGINT NOT NULL,
    fingerprint BYTEA NOT NULL,
    reply BYTEA NOT NULL,
    month BIGINT NOT NULL,
    PRIMARY KEY (scope, key)
);
CREATE INDEX idempotency_keys_by_month ON idempotency_keys (month);
