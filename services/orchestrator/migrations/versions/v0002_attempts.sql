-- Which of them an event is looked up by is in services/orchestrator/adapters/attempts.py. The writer's right to read
-- payment_events covers them: nothing is granted.
CREATE INDEX payment_events_failed_by_card ON tidegate.payment_events (card_fingerprint, provider_created_at)
    WHERE event_type = 'payment.failed' AND card_fingerprint IS NOT NULL;
CREATE INDEX payment_events_failed_by_payment ON tidegate.payment_events (payment_id, provider_created_at)
    WHERE event_type = 'payment.failed';
CREATE INDEX payment_events_failed_by_customer
    ON tidegate.payment_events (customer_id, merchant_id, provider_created_at)
    WHERE event_type = 'payment.failed' AND customer_id IS NOT NULL;
