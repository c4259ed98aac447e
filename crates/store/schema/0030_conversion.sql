-- Exchange rates by the currencies they convert, and conversions by the accounts they moved money between; times in
-- milliseconds since 1970.
CREATE TABLE exchange_rates (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    sold TEXT NOT NULL,
    bought TEXT NOT NULL,
    valid_from BIGINT NOT NULL,
    valid_until BIGINT NOT NULL
);
CREATE INDEX exchange_rates_by_currencies ON exchange_rates (sold, bought, id);
CREATE TABLE conversions (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    source BIGINT NOT NULL,
    target BIGINT NOT NULL,
    rate BIGINT NOT NULL,
    status TEXT NOT NULL
);
CREATE INDEX conversions_by_source ON conversions (source, id);
CREATE INDEX conversions_by_target ON conversions (target, id);
CREATE INDEX conversions_by_rate ON conversions (rate, id);
