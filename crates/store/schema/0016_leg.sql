-- Legs of payments; needs_person is 1 where only a person can move the money.
CREATE TABLE legs (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    order_id BIGINT NOT NULL,
    status TEXT NOT NULL,
    needs_person BIGINT NOT NULL
);
CREATE INDEX legs_by_order_id ON legs (order_id, id);
CREATE INDEX legs_by_needs_person ON legs (needs_person, id);
