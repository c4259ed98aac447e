-- Certificates of merchants: serial is unique within the merchant; revoked is 1 once it was revoked.
CREATE TABLE certificates (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    merchant BIGINT NOT NULL,
    serial TEXT NOT NULL,
    revoked BIGINT NOT NULL
);
CREATE INDEX certificates_by_merchant ON certificates (merchant, id);
