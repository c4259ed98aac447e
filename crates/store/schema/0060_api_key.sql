-- Serial numbers of API keys' secrets, of callers who rotated: owner is operator, mch_3 or opr_1.
CREATE TABLE api_keys (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    owner TEXT NOT NULL,
    serial BIGINT NOT NULL
);
CREATE INDEX api_keys_by_owner ON api_keys (owner, id);
