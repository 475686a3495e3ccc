DROP TABLE tidegate.model_performance, tidegate.score_drift, tidegate.feature_drift, tidegate.feature_skew;
REVOKE SELECT (event_id, payment_id, merchant_id, customer_id, amount_cents, currency, fraud_probability, decided_at)
    ON tidegate.decisions FROM tidegate_monitor;
REVOKE SELECT (event_id, provider, merchant_id, customer_id, card_fingerprint, payment_id, provider_object_id, event_type,
    amount_cents, currency, decline_class, reason, provider_created_at, processed_at)
    ON tidegate.payment_events FROM tidegate_monitor;
REVOKE USAGE ON SCHEMA tidegate FROM tidegate_monitor;
