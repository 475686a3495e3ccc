DROP TABLE tidegate.model_performance, tidegate.score_drift, tidegate.feature_drift, tidegate.feature_skew;
REVOKE SELECT (event_id, payment_id, merchant_id, customer_id, event_type, reason, provider_created_at)
    ON tidegate.payment_events FROM tidegate_monitor;
REVOKE USAGE ON SCHEMA tidegate FROM tidegate_monitor;
