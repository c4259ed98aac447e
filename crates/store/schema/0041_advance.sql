-- Advances of own money; date: the accounting day of sending.
CREATE TABLE advances (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    merchant BIGINT NOT NULL,
    status TEXT NOT NULL,
    date BIGINT NOT NULL
);
CREATE INDEX advances_by_merchant ON advances (merchant, id);
CREATE INDEX advances_by_status ON advances (status, id);

-- The rules for advances, a row a version.
CREATE TABLE advance_policies (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL
);
