{{ config(
    materialized='incremental',
    incremental_strategy='merge_within_days',
    unique_key='dispute_id',
    on_schema_change='append_new_columns',
    properties={'partitioning': "ARRAY['month(event_day)']"},
    meta={'merge_day': 'event_day', 'merge_from': 'cast(first_event_at as date)', 'replaces': 'payment_id'}
) }}

{%- set tells_of_a_dispute = "event_type in ('dispute.created', 'dispute.updated', 'dispute.closed', 'dispute.funds_withdrawn', 'dispute.funds_reinstated')" %}
{%- set touched = touched_payments(ref('payment_events'), tells_of_a_dispute) %}

with events as (

    select * from {{ ref('payment_events') }} where {{ tells_of_a_dispute }} and {{ touched['where'] }}

),

-- A decided dispute is not opened again by an event that comes late.
disputes as (

    select
        provider || ':' || provider_object_id as dispute_id,
        max_by(payment_id, row(provider_created_at, event_id)) as payment_id,
        max(provider) as provider,
        max(merchant_id) as merchant_id,
        max(currency) as currency,
        max_by(amount_cents, row(provider_created_at, event_id)) as amount_cents,
        max_by(status, row(status <> 'disputed', provider_created_at, event_id)) as status,
        max_by(reason, row(provider_created_at, event_id)) as reason,
        min(provider_created_at) as opened_at,
        min(if(status <> 'disputed', provider_created_at)) as decided_at,
        bool_or(livemode) as livemode,
        max(ingested_at) as ingested_at
    from events
    group by provider, provider_object_id

)

select
    dispute_id,
    payment_id,
    provider,
    merchant_id,
    currency,
    amount_cents,
    status,
    reason,
    opened_at,
    decided_at,
    {{ day_of('opened_at') }} as event_day,
    livemode,
    min(opened_at) over (partition by payment_id) as first_event_at,
    ingested_at
from disputes
