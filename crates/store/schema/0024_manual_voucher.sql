-- Templates of manual vouchers: each code is there once.
CREATE TABLE voucher_templates (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    code TEXT NOT NULL,
    status TEXT NOT NULL
);
CREATE INDEX voucher_templates_by_code ON voucher_templates (code, id);
