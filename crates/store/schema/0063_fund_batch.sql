-- Monthly batches of provident-fund centres; period as 2026-03, open is 1 while the centre has rows to answer still.
CREATE TABLE fund_batches (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    period TEXT NOT NULL,
    open BIGINT NOT NULL
);
CREATE INDEX fund_batches_by_period ON fund_batches (period, id);
