-- What a table of many rows pays. The columns are added with a constant, which PostgreSQL notes once and writes into no
-- row: rows that are there already read as '0', stored before all others. (With the volatile default at once, every row
-- would be rewritten.) The indexes hold later rows only, so they begin empty, but are built by one scan of the table,
-- for which writers wait. Where that is too long, run the ADD COLUMN and SET DEFAULT below as tidegate_owner first, then
-- each CREATE INDEX as CREATE INDEX CONCURRENTLY: this migration takes what it finds.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tidegate_lake') THEN
        RAISE EXCEPTION USING
            MESSAGE = 'a role is missing: tidegate_lake',
            HINT = 'Create it first (CREATE ROLE tidegate_lake LOGIN PASSWORD ''...''); the migration grants what it needs.';
    END IF;
END
$$;

ALTER TABLE tidegate.payment_events ADD COLUMN IF NOT EXISTS stored_xid xid8 NOT NULL DEFAULT '0';
ALTER TABLE tidegate.payment_events ALTER COLUMN stored_xid SET DEFAULT pg_current_xact_id();
ALTER TABLE tidegate.decisions ADD COLUMN IF NOT EXISTS stored_xid xid8 NOT NULL DEFAULT '0';
ALTER TABLE tidegate.decisions ALTER COLUMN stored_xid SET DEFAULT pg_current_xact_id();
ALTER TABLE tidegate.quarantine ADD COLUMN IF NOT EXISTS stored_xid xid8 NOT NULL DEFAULT '0';
ALTER TABLE tidegate.quarantine ALTER COLUMN stored_xid SET DEFAULT pg_current_xact_id();

CREATE INDEX IF NOT EXISTS payment_events_by_stored_xid ON tidegate.payment_events (stored_xid) WHERE stored_xid > '0';
CREATE INDEX IF NOT EXISTS decisions_by_stored_xid ON tidegate.decisions (stored_xid) WHERE stored_xid > '0';
CREATE INDEX IF NOT EXISTS quarantine_by_stored_xid ON tidegate.quarantine (stored_xid) WHERE stored_xid > '0';

COMMENT ON COLUMN tidegate.payment_events.stored_xid IS
    'The transaction that stored the row; 0: one before this column was. Rows of transactions that were over when a reader began are all there is, and all there will be, below its pg_snapshot_xmin: what stored_at cannot promise, since it is when a transaction began.';
COMMENT ON COLUMN tidegate.decisions.stored_xid IS 'The transaction that stored the row, as in payment_events.';
COMMENT ON COLUMN tidegate.quarantine.stored_xid IS 'The transaction that stored the row, as in payment_events.';

-- A role of its own, not the reader: the lake needs no blocklist and no limits, and its password lies elsewhere.
GRANT USAGE ON SCHEMA tidegate TO tidegate_lake;
GRANT SELECT ON tidegate.payment_events, tidegate.decisions, tidegate.quarantine, tidegate.feature_skew,
    tidegate.feature_drift, tidegate.score_drift, tidegate.model_performance TO tidegate_lake;
