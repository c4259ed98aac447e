-- What merchants take cards under; number: 15 digits.
CREATE TABLE acquirings (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    merchant BIGINT NOT NULL,
    number TEXT NOT NULL,
    status TEXT NOT NULL
);
CREATE INDEX acquirings_by_merchant ON acquirings (merchant, id);
CREATE INDEX acquirings_by_number ON acquirings (number, id);
