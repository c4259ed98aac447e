-- Real-name checks; status is its name, such as matched. merchant is null of the institution's own.
CREATE TABLE real_name_checks (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    merchant BIGINT,
    user_id BIGINT NOT NULL,
    status TEXT NOT NULL
);
CREATE INDEX real_name_checks_by_merchant ON real_name_checks (merchant, id);
CREATE INDEX real_name_checks_by_user ON real_name_checks (user_id, id);
