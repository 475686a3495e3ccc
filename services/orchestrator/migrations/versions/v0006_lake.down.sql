-- Bronze tables that were filled before cannot go on after it: their watermark is a transaction.
REVOKE SELECT ON tidegate.payment_events, tidegate.decisions, tidegate.quarantine, tidegate.feature_skew,
    tidegate.feature_drift, tidegate.score_drift, tidegate.model_performance FROM tidegate_lake;
REVOKE USAGE ON SCHEMA tidegate FROM tidegate_lake;
ALTER TABLE tidegate.payment_events DROP COLUMN stored_xid;
ALTER TABLE tidegate.decisions DROP COLUMN stored_xid;
ALTER TABLE tidegate.quarantine DROP COLUMN stored_xid;
