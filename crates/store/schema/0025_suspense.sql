-- Items of suspense (2241): source is the business number that brought it.
CREATE TABLE suspense_items (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    status TEXT NOT NULL,
    currency TEXT NOT NULL,
    source TEXT NOT NULL
);
CREATE INDEX suspense_items_by_status ON suspense_items (status, id);
CREATE INDEX suspense_items_by_source ON suspense_items (source, id);
