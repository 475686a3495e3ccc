{{ config(
    materialized='incremental',
    incremental_strategy='merge_within_days',
    unique_key='payment_id',
    on_schema_change='append_new_columns',
    properties={'partitioning': "ARRAY['month(event_day)']"},
    meta={'merge_day': 'event_day', 'merge_from': 'cast(first_event_at as date)'}
) }}

{%- set touched = touched_payments(ref('payment_events')) %}
{%- set since = 'event_day >= cast(' ~ touched['from'] ~ ' as date)' if touched['from'] else touched['where'] %}
{#- Charges that were approved show in their later events too what was authorised and captured of them. #}
{%- set is_approved = "status in ('authorized', 'succeeded', 'refunded')" %}
{%- set is_captured = "status in ('succeeded', 'refunded')" %}

with events as (

    select * from {{ ref('payment_events') }} where starts_with(event_type, 'payment.') and {{ touched['where'] }}

),

payments as (

    select
        payment_id,
        max(provider) as provider,
        max(merchant_id) as merchant_id,
        max(currency) as currency,
        max(customer_key) as customer_key,
        max_by(card_key, row(provider_created_at, event_id)) filter (where card_key is not null) as card_key,
        max_by(card_brand, row(provider_created_at, event_id)) filter (where card_brand is not null) as card_brand,
        bool_or(invoice_id is not null) as is_invoice,
        max_by(amount_cents, row(provider_created_at, event_id)) as told_cents,
        max(amount_cents) filter (where {{ is_approved }}) as authorised_cents,
        max(coalesce(amount_captured_cents, amount_cents)) filter (where {{ is_captured }}) as captured_cents,
        min(provider_created_at) filter (where event_type in ('payment.succeeded', 'payment.captured')) as succeeded_at,
        bool_or({{ is_captured }}) as is_captured,
        -- Of two events in one second the one that is further along holds.
        max_by(
            status,
            row(
                provider_created_at,
                case status
                    when 'created' then 0 when 'processing' then 1 when 'requires_action' then 2 when 'failed' then 3
                    when 'authorized' then 4 else 5
                end
            )
        ) as last_status,
        min(provider_created_at) as first_event_at,
        bool_or(livemode) as livemode,
        max(ingested_at) as ingested_at
    from events
    group by payment_id

),

attempts as (

    select
        payment_id,
        count(*) as attempts,
        count_if(outcome = 'failed') as failed_attempts,
        min(attempted_at) as first_attempt_at,
        min(attempted_at) filter (where outcome = 'failed') as first_failure_at,
        min_by(failure_code, attempt_number) filter (where outcome = 'failed') as first_failure_code,
        min_by(decline_class, attempt_number) filter (where outcome = 'failed') as first_decline_class,
        max(ingested_at) as ingested_at
    from {{ ref('fct_attempts') }}
    where {{ since }}
    group by payment_id

),

-- Refunds and disputes are few, and one may be older than all that is known of its payment.
refunds as (

    select
        payment_id,
        sum(amount_cents) filter (where is_counted) as refunded_cents,
        max(ingested_at) as ingested_at
    from {{ ref('fct_refunds') }}
    group by payment_id

),

disputes as (

    select
        payment_id,
        sum(amount_cents) as disputed_cents,
        sum(amount_cents) filter (where status = 'dispute_lost') as lost_cents,
        bool_or(status = 'disputed') as is_open,
        bool_or(status = 'dispute_lost') as is_lost,
        max(ingested_at) as ingested_at
    from {{ ref('fct_disputes') }}
    group by payment_id

),

joined as (

    select
        payments.*,
        attempts.first_attempt_at,
        attempts.first_failure_at,
        attempts.first_failure_code,
        attempts.first_decline_class,
        coalesce(attempts.attempts, 0) as attempts,
        coalesce(attempts.failed_attempts, 0) as failed_attempts,
        coalesce(refunds.refunded_cents, 0) as refunded_cents,
        coalesce(disputes.disputed_cents, 0) as disputed_cents,
        coalesce(disputes.lost_cents, 0) as dispute_lost_cents,
        case
            when disputes.is_lost then 'dispute_lost'
            when disputes.is_open then 'disputed'
            when refunds.refunded_cents > 0 then 'refunded'
            when disputes.payment_id is not null then 'dispute_won'
            when payments.is_captured then 'succeeded'
            else payments.last_status
        end as status,
        payments.succeeded_at > attempts.first_failure_at and payments.captured_cents > 0 as came_in_late,
        greatest(
            payments.ingested_at,
            coalesce(attempts.ingested_at, payments.ingested_at),
            coalesce(refunds.ingested_at, payments.ingested_at),
            coalesce(disputes.ingested_at, payments.ingested_at)
        ) as last_ingested_at
    from payments
    left join attempts on payments.payment_id = attempts.payment_id
    left join refunds on payments.payment_id = refunds.payment_id
    left join disputes on payments.payment_id = disputes.payment_id

)

select
    payment_id,
    provider,
    merchant_id,
    customer_key,
    card_key,
    card_brand,
    currency,
    coalesce(authorised_cents, told_cents) as amount_cents,
    coalesce(authorised_cents, 0) as authorised_cents,
    coalesce(captured_cents, 0) as captured_cents,
    refunded_cents,
    disputed_cents,
    dispute_lost_cents,
    status,
    is_invoice,
    first_attempt_at,
    succeeded_at,
    cast(attempts as integer) as attempts,
    cast(failed_attempts as integer) as failed_attempts,
    first_failure_at,
    first_failure_code,
    first_decline_class,
    coalesce(came_in_late, false) as is_recovered,
    if(came_in_late, captured_cents, 0) as recovered_cents,
    livemode,
    {{ day_of('coalesce(first_attempt_at, first_event_at)') }} as event_day,
    first_event_at,
    last_ingested_at as ingested_at
from joined
