-- Refunds that wait for a person: needs_person is 1 where the source of money that no order can use refused it, and nobody has acted on
-- that. Which rows of before do says their content: `refund::mark_needs_person`.
ALTER TABLE refunds ADD COLUMN needs_person BIGINT NOT NULL DEFAULT 0;
CREATE INDEX refunds_by_needs_person ON refunds (needs_person, id);
