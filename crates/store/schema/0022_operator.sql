-- Operators: each login is there once.
CREATE TABLE operators (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    login TEXT NOT NULL,
    status TEXT NOT NULL
);
CREATE INDEX operators_by_login ON operators (login, id);
