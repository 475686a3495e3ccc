{{ config(materialized='view') }}

select
    event_id,
    payment_id,
    merchant_id,
    customer_key,
    provider,
    event_type,
    amount_cents,
    currency,
    action,
    fraud_probability,
    fraud_decision,
    retry_action,
    retry_at,
    network_rule,
    churn_probability,
    churn_risk,
    recovery_steps,
    rule_ids,
    models,
    fallback,
    degraded,
    degraded_steps,
    decided_at,
    {{ day_of('decided_at') }} as event_day,
    ingested_at
from {{ ref('decisions') }}
