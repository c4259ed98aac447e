-- Accounting days: id is the date in days since 1970, sealed the position behind which no voucher bears it.
CREATE TABLE business_days (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    status TEXT NOT NULL,
    sealed BIGINT
);
