-- Accounts: owner is 'institution' or an id in text, subject the accountants' code.
CREATE TABLE accounts (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    owner TEXT NOT NULL,
    subject BIGINT NOT NULL,
    currency TEXT NOT NULL,
    status TEXT NOT NULL
);
CREATE INDEX accounts_by_owner ON accounts (owner, id);
CREATE INDEX accounts_by_subject ON accounts (subject, id);
