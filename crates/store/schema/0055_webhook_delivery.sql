-- What webhooks are to be told, a row for each event and webhook: written once with the checkpoint that holds the event; then
-- webhook_delivery.rs alone changes its state. state: 0 new, 1 ready, 2 behind an earlier one of its object, 3 accepted,
-- 4 given up. Times are milliseconds of Unix time by the wall clock, but for event_at, which is the books' time.
CREATE TABLE webhook_deliveries (
    webhook BIGINT NOT NULL,
    position BIGINT NOT NULL,
    merchant BIGINT NOT NULL,
    object TEXT NOT NULL,
    kind TEXT NOT NULL,
    event_at BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    state BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    since BIGINT,
    ended_at BIGINT,
    PRIMARY KEY (webhook, position)
);
-- What is new, in the order of the journal; what is due of a webhook; what an object waits for; what may be forgotten.
CREATE INDEX webhook_deliveries_new ON webhook_deliveries (state, position);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook, state, next_at, position);
CREATE INDEX webhook_deliveries_by_object ON webhook_deliveries (webhook, object, position);
CREATE INDEX webhook_deliveries_ended ON webhook_deliveries (ended_at);

-- Each try at a receiver. status is HTTP's, NULL where no answer came; error is a few words without personal data.
CREATE TABLE webhook_attempts (
    webhook BIGINT NOT NULL,
    position BIGINT NOT NULL,
    number BIGINT NOT NULL,
    at BIGINT NOT NULL,
    status BIGINT,
    duration_ms BIGINT NOT NULL,
    error TEXT NOT NULL,
    PRIMARY KEY (webhook, position, number)
);
