COMMENT ON COLUMN tidegate.decisions.decided_at IS 'When it was decided.';
COMMENT ON COLUMN tidegate.payment_events.failure_message IS 'The provider''s words for the failure.';

REVOKE SELECT (sequence, event_id, payment_id, stored_at) ON tidegate.decision_outbox FROM tidegate_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA tidegate TO tidegate_reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA tidegate GRANT SELECT ON TABLES TO tidegate_reader;
