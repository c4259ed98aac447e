-- Precise freezes: document is the authority's number.
CREATE TABLE freezes (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    account BIGINT NOT NULL,
    status TEXT NOT NULL,
    document TEXT NOT NULL
);
CREATE INDEX freezes_by_account ON freezes (account, id);
CREATE INDEX freezes_by_document ON freezes (document, id);
