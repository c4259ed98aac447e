-- Terminals; merchant is empty for one that is with nobody.
CREATE TABLE terminals (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    serial TEXT NOT NULL,
    status TEXT NOT NULL,
    merchant BIGINT
);
CREATE INDEX terminals_by_serial ON terminals (serial, id);
CREATE INDEX terminals_by_status ON terminals (status, id);
CREATE INDEX terminals_by_merchant ON terminals (merchant, id);
