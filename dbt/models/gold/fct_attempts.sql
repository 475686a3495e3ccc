{{ config(
    materialized='incremental',
    incremental_strategy='merge_within_days',
    unique_key='attempt_id',
    on_schema_change='append_new_columns',
    properties={'partitioning': "ARRAY['month(event_day)']"},
    meta={'merge_day': 'event_day', 'merge_from': 'cast(first_event_at as date)', 'replaces': 'payment_id'}
) }}

{%- set tells_of_a_try = "event_type in ('payment.failed', 'payment.authorized', 'payment.succeeded', 'payment.captured')" %}
{%- set touched = touched_payments(ref('payment_events'), tells_of_a_try) %}
{%- set apart = "interval '" ~ var('one_attempt_seconds') ~ "' second" %}

with events as (

    select
        *,
        {{ lives_through_several_attempts() }} as is_of_whole_payment
    from {{ ref('payment_events') }}
    where {{ tells_of_a_try }} and {{ touched['where'] }}

),

failures as (

    select * from events where event_type = 'payment.failed'

),

-- A failed try by its own object, such as a charge, however many events tell of it. The latest moment that is told holds.
failed_objects as (

    select
        payment_id,
        max(provider_created_at) as told_at,
        max_by(event_id, row(provider_created_at, event_id)) as event_id
    from failures
    where not is_of_whole_payment
    group by payment_id, provider_object_id

),

objects_of_payment as (

    select
        payment_id,
        array_agg(event_id order by told_at, event_id) as object_events,
        array_agg(told_at order by told_at, event_id) as object_times
    from failed_objects
    group by payment_id

),

-- The same tries as the payment's own object tells of them: one event for each.
wholes_of_payment as (

    select
        payment_id,
        array_agg(event_id order by provider_created_at, event_id) as whole_events,
        array_agg(provider_created_at order by provider_created_at, event_id) as whole_times
    from failures
    where is_of_whole_payment
    group by payment_id

),

side_by_side as (

    select
        payment_id,
        coalesce(object_events, array[]) as object_events,
        coalesce(object_times, array[]) as object_times,
        coalesce(whole_events, array[]) as whole_events,
        coalesce(whole_times, array[]) as whole_times
    from objects_of_payment
    full outer join wholes_of_payment using (payment_id)

),

-- One to one, both in the order of time, the earliest pairs first: for each object the number of the event about the
-- whole payment within a few seconds of it, or 0. An event too many makes a try of its own: too many are counted rather
-- than too few. `passed`: how many are used, or lie too far before any object that is left.
paired as (

    select
        *,
        reduce(
            object_times,
            cast(row(0, array[]) as row(passed bigint, partners array(bigint))),
            (so_far, told_at) -> cast(
                if(
                    element_at(
                        whole_times,
                        greatest(so_far.passed, cardinality(filter(whole_times, t -> t < told_at - {{ apart }}))) + 1
                    ) <= told_at + {{ apart }},
                    row(
                        greatest(so_far.passed, cardinality(filter(whole_times, t -> t < told_at - {{ apart }}))) + 1,
                        so_far.partners
                        || (greatest(so_far.passed, cardinality(filter(whole_times, t -> t < told_at - {{ apart }}))) + 1)
                    ),
                    row(
                        greatest(so_far.passed, cardinality(filter(whole_times, t -> t < told_at - {{ apart }}))),
                        so_far.partners || cast(0 as bigint)
                    )
                ) as row(passed bigint, partners array(bigint))
            ),
            so_far -> so_far.partners
        ) as partners
    from side_by_side

),

first_told as (

    select payment_id, min(provider_created_at) as first_told_at from failures group by payment_id

),

failed_tries as (

    select
        event_id,
        if(partner > 0, whole_events[partner]) as whole_event_id
    from paired
    cross join unnest(object_events, partners) as told (event_id, partner)

    union all

    select
        cast(null as varchar) as event_id,
        whole_event_id
    from paired
    cross join unnest(whole_events) with ordinality as told (whole_event_id, number)
    where not contains(partners, number)

),

failed_attempts as (

    select
        coalesce(own.payment_id, whole.payment_id) as payment_id,
        own.provider || ':' || own.provider_object_id as object_id,
        coalesce(own.event_id, whole.event_id) as event_id,
        coalesce(own.provider, whole.provider) as provider,
        coalesce(own.merchant_id, whole.merchant_id) as merchant_id,
        coalesce(own.customer_key, whole.customer_key) as customer_key,
        coalesce(own.card_key, whole.card_key) as card_key,
        coalesce(own.card_brand, whole.card_brand) as card_brand,
        coalesce(own.card_funding, whole.card_funding) as card_funding,
        coalesce(own.card_country, whole.card_country) as card_country,
        coalesce(own.payment_method_type, whole.payment_method_type) as payment_method_type,
        coalesce(own.currency, whole.currency) as currency,
        coalesce(own.amount_cents, whole.amount_cents) as amount_cents,
        coalesce(own.failure_code, whole.failure_code) as failure_code,
        coalesce(own.decline_class, whole.decline_class) as decline_class,
        coalesce(own.network_decline_code, whole.network_decline_code) as network_decline_code,
        coalesce(own.network_advice_code, whole.network_advice_code) as network_advice_code,
        coalesce(own.provider_created_at, whole.provider_created_at) as attempted_at,
        first_told.first_told_at,
        coalesce(own.livemode, whole.livemode) as livemode,
        greatest(
            coalesce(own.ingested_at, whole.ingested_at), coalesce(whole.ingested_at, own.ingested_at)
        ) as ingested_at
    from failed_tries as tried
    left join failures as own on tried.event_id = own.event_id
    left join failures as whole on tried.whole_event_id = whole.event_id
    left join first_told on coalesce(own.payment_id, whole.payment_id) = first_told.payment_id

),

-- A payment is approved once, so that every event that says so is about one try, the last one.
approved_attempts as (

    select
        payment_id,
        max(if(not is_of_whole_payment, provider || ':' || provider_object_id)) as object_id,
        max(provider) as provider,
        max(merchant_id) as merchant_id,
        max(customer_key) as customer_key,
        max(card_key) as card_key,
        max(card_brand) as card_brand,
        max(card_funding) as card_funding,
        max(card_country) as card_country,
        max(payment_method_type) as payment_method_type,
        max(currency) as currency,
        max(amount_cents) as amount_cents,
        min(provider_created_at) as attempted_at,
        bool_or(event_type in ('payment.succeeded', 'payment.captured')) as is_collected,
        bool_or(livemode) as livemode,
        max(ingested_at) as ingested_at
    from events
    where event_type <> 'payment.failed'
    group by payment_id

),

attempts as (

    select
        coalesce(object_id, event_id) as attempt_id,
        payment_id, provider, merchant_id, customer_key, card_key, card_brand, card_funding, card_country,
        payment_method_type, currency, amount_cents, 'failed' as outcome, failure_code, decline_class,
        network_decline_code, network_advice_code, attempted_at, first_told_at, livemode, ingested_at
    from failed_attempts

    union all

    select
        coalesce(object_id, payment_id || ':approved') as attempt_id,
        payment_id, provider, merchant_id, customer_key, card_key, card_brand, card_funding, card_country,
        payment_method_type, currency, amount_cents, if(is_collected, 'succeeded', 'authorized') as outcome,
        cast(null as varchar) as failure_code, cast(null as varchar) as decline_class,
        cast(null as varchar) as network_decline_code, cast(null as varchar) as network_advice_code,
        attempted_at, attempted_at as first_told_at, livemode, ingested_at
    from approved_attempts

)

select
    attempt_id,
    payment_id,
    cast(row_number() over (
        partition by payment_id order by attempted_at, if(outcome = 'failed', 0, 1), attempt_id
    ) as integer) as attempt_number,
    provider,
    merchant_id,
    customer_key,
    card_key,
    card_brand,
    card_funding,
    card_country,
    payment_method_type,
    currency,
    amount_cents,
    outcome,
    failure_code,
    decline_class,
    if(outcome = 'failed', {{ decline_key() }}) as decline_key,
    network_decline_code,
    network_advice_code,
    attempted_at,
    {{ day_of('attempted_at') }} as event_day,
    livemode,
    min(first_told_at) over (partition by payment_id) as first_event_at,
    ingested_at
from attempts
