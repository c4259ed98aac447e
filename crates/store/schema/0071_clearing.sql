-- Clearing files with differences that have not ended: open_differences says how many of those that the file lists. No program before this
-- one ended any, and a file lists 1,000 at most.
ALTER TABLE clearings ADD COLUMN open_differences BIGINT NOT NULL DEFAULT 0;
UPDATE clearings SET open_differences = CASE WHEN different > 1000 THEN 1000 ELSE different END;
CREATE INDEX clearings_by_open_differences ON clearings (open_differences, id);
