-- Takes everything that was stored with it.
ALTER DEFAULT PRIVILEGES IN SCHEMA tidegate REVOKE SELECT ON TABLES FROM tidegate_reader;
DROP TABLE tidegate.relay_progress, tidegate.decision_outbox, tidegate.merchant_limits, tidegate.blocklist,
    tidegate.quarantine, tidegate.decisions, tidegate.payment_events;
REVOKE SELECT ON ALL TABLES IN SCHEMA tidegate FROM tidegate_reader;
REVOKE USAGE ON SCHEMA tidegate FROM tidegate_writer, tidegate_reader;
