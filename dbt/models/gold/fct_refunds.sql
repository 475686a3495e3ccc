{{ config(
    materialized='incremental',
    incremental_strategy='merge_within_days',
    unique_key='refund_id',
    on_schema_change='append_new_columns',
    properties={'partitioning': "ARRAY['month(event_day)']"},
    meta={'merge_day': 'event_day', 'merge_from': 'cast(first_event_at as date)', 'replaces': 'payment_id'}
) }}

{%- set tells_of_a_refund = "event_type in ('refund.created', 'refund.updated', 'refund.failed', 'payment.refunded', 'payment.updated')" %}
{%- set touched = touched_payments(ref('payment_events'), tells_of_a_refund) %}

with events as (

    select * from {{ ref('payment_events') }} where {{ tells_of_a_refund }} and {{ touched['where'] }}

),

-- Refunds that have events of their own. Of two events in one second the one that is further along holds.
own_events as (

    select
        max_by(payment_id, row(provider_created_at, event_id)) as payment_id,
        provider || ':' || provider_object_id as refund_id,
        max(provider) as provider,
        max(merchant_id) as merchant_id,
        max(currency) as currency,
        max_by(amount_cents, row(provider_created_at, event_id)) as amount_cents,
        max_by(
            status,
            row(
                provider_created_at,
                case status when 'refund_failed' then 2 when 'refunded' then 1 else 0 end
            )
        ) as status,
        max_by(reason, row(provider_created_at, event_id)) as reason,
        min(provider_created_at) as requested_at,
        min(if(status = 'refunded', provider_created_at)) as settled_at,
        bool_or(livemode) as livemode,
        max(ingested_at) as ingested_at
    from events
    where event_type in ('refund.created', 'refund.updated', 'refund.failed')
    group by provider, provider_object_id

),

-- What charges say was refunded of them so far (old API versions say no more): each higher sum is one refund more.
sums_told as (

    select
        max_by(payment_id, row(provider_created_at, event_id)) as payment_id,
        provider_object_id,
        amount_refunded_cents,
        max(provider) as provider,
        max(merchant_id) as merchant_id,
        max(currency) as currency,
        min(provider_created_at) as requested_at,
        bool_or(livemode) as livemode,
        max(ingested_at) as ingested_at
    from events
    where
        event_type in ('payment.refunded', 'payment.updated')
        and amount_refunded_cents > 0
    group by provider_object_id, amount_refunded_cents

),

-- Some of a payment's refunds may tell of themselves and others not. What those that do amount to is not counted twice:
-- of a charge's sum the part above it is left, and belongs to the steps that came last. A refund that failed was part
-- of the sum before.
steps as (

    select
        sums_told.*,
        lag(amount_refunded_cents, 1, 0) over (
            partition by provider_object_id order by amount_refunded_cents
        ) as before_cents,
        coalesce(own.told_cents, 0) as own_cents
    from sums_told
    left join (
        select payment_id, sum(amount_cents) as told_cents from own_events group by payment_id
    ) as own on sums_told.payment_id = own.payment_id

),

-- The charge's sum counts too where refunds tell of themselves by now: a row was made of it, which is to be found again.
first_told as (

    select payment_id, min(provider_created_at) as first_told_at from events group by payment_id

),

refunds as (

    select
        refund_id, payment_id, provider, merchant_id, currency, amount_cents, status, reason, requested_at, settled_at,
        livemode, ingested_at
    from own_events

    union all

    select
        provider || ':' || provider_object_id || ':refunded:' || cast(amount_refunded_cents as varchar) as refund_id,
        payment_id, provider, merchant_id, currency,
        amount_refunded_cents - greatest(before_cents, own_cents) as amount_cents,
        'refunded' as status,
        cast(null as varchar) as reason,
        requested_at,
        requested_at as settled_at,
        livemode,
        ingested_at
    from steps
    where amount_refunded_cents > own_cents

)

select
    refund_id,
    payment_id,
    provider,
    merchant_id,
    currency,
    amount_cents,
    status,
    status <> 'refund_failed' as is_counted,
    reason,
    requested_at,
    settled_at,
    {{ day_of('requested_at') }} as event_day,
    livemode,
    least(
        min(requested_at) over (partition by payment_id), coalesce(first_told.first_told_at, requested_at)
    ) as first_event_at,
    ingested_at
from refunds
left join first_told using (payment_id)
