-- Advances that wait for a person: needs_person is 1 where the own bank paid one after it had failed, and that is neither settled nor back.
-- No row of before is one: such an answer was refused.
ALTER TABLE advances ADD COLUMN needs_person BIGINT NOT NULL DEFAULT 0;
CREATE INDEX advances_by_needs_person ON advances (needs_person, id);
