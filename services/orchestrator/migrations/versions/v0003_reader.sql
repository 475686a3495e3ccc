ALTER DEFAULT PRIVILEGES IN SCHEMA tidegate REVOKE SELECT ON TABLES FROM tidegate_reader;
REVOKE SELECT ON ALL TABLES IN SCHEMA tidegate FROM tidegate_reader;

GRANT SELECT ON tidegate.payment_events, tidegate.decisions, tidegate.quarantine, tidegate.blocklist,
    tidegate.merchant_limits, tidegate.relay_progress TO tidegate_reader;
-- What waits and since when, not the messages.
GRANT SELECT (sequence, event_id, payment_id, stored_at) ON tidegate.decision_outbox TO tidegate_reader;

COMMENT ON COLUMN tidegate.payment_events.failure_message IS
    'PERSONAL. The provider''s words for the failure: free text, which may name what was paid with.';
COMMENT ON COLUMN tidegate.decisions.decided_at IS 'When it was decided: after the models had answered, as it was stored.';
