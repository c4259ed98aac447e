-- Payouts that wait for a person: needs_person is 1 where a bank paid one after it had failed, and two people have not settled that.
-- No program before this one made such rows.
ALTER TABLE payouts ADD COLUMN needs_person BIGINT NOT NULL DEFAULT 0;
CREATE INDEX payouts_by_needs_person ON payouts (needs_person, id);
