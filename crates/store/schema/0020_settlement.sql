-- Settlements; date in days since 1970.
CREATE TABLE settlements (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    merchant BIGINT NOT NULL,
    date BIGINT NOT NULL
);
CREATE INDEX settlements_by_merchant ON settlements (merchant, id);
CREATE INDEX settlements_by_date ON settlements (date, id);
