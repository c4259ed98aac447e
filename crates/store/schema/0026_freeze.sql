-- Freezes of customers, and whole ones: account or customer is null. Rows of before have no authority in their column
-- until they change; their blobs do.
ALTER TABLE freezes RENAME TO freezes_of_accounts;
CREATE TABLE freezes_now (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    kind TEXT NOT NULL,
    account BIGINT,
    customer BIGINT,
    status TEXT NOT NULL,
    document TEXT NOT NULL,
    authority TEXT NOT NULL
);
INSERT INTO freezes_now (id, position, checksum, blob, kind, account, customer, status, document, authority)
SELECT id, position, checksum, blob, 'precise', account, NULL, status, document, '' FROM freezes_of_accounts;
DROP TABLE freezes_of_accounts;
ALTER TABLE freezes_now RENAME TO freezes;
CREATE INDEX freezes_by_account ON freezes (account, id);
CREATE INDEX freezes_by_customer ON freezes (customer, id);
CREATE INDEX freezes_by_document ON freezes (document, id);
CREATE INDEX freezes_by_authority ON freezes (authority, id);
