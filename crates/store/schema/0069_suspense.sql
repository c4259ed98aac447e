-- Items of suspense that wait for a person: needs_person is 1 while something of one lies on 2243 and nobody has given it back.
ALTER TABLE suspense_items ADD COLUMN needs_person BIGINT NOT NULL DEFAULT 0;
CREATE INDEX suspense_items_by_needs_person ON suspense_items (needs_person, id);
