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

{#- What an event says of its try: taken along as one value, so that the events are read once. #}
{%- set says = {
    'event_id': 'varchar', 'object_id': 'varchar', 'provider': 'varchar', 'merchant_id': 'varchar',
    'customer_key': 'varchar', 'card_key': 'varchar', 'card_brand': 'varchar', 'card_funding': 'varchar',
    'card_country': 'varchar', 'payment_method_type': 'varchar', 'currency': 'varchar', 'amount_cents': 'bigint',
    'failure_code': 'varchar', 'decline_class': 'varchar', 'network_decline_code': 'varchar',
    'network_advice_code': 'varchar', 'told_at': 'timestamp(6) with time zone', 'livemode': 'boolean'
} %}

with events as (

    select
        *,
        provider_created_at as told_at,
        {{ lives_through_several_attempts() }} as is_of_whole_payment,
        if(not {{ lives_through_several_attempts() }}, payment_id || ':' || provider_object_id) as object_id
    from {{ ref('payment_events') }}
    where {{ tells_of_a_try }} and {{ touched['where'] }}

),

-- A failed try by its own object, such as a charge, however many events tell of it (the latest moment that is told
-- holds); and the same tries as the payment's own object tells of them, one event for each.
failures as (

    select
        payment_id,
        is_of_whole_payment,
        max(told_at) as told_at,
        min(told_at) as first_told_at,
        max(ingested_at) as ingested_at,
        max_by(
            cast(
                row({{ says | join(', ') }})
                as row({% for name, kind in says.items() %}{{ name }} {{ kind }}{{ ', ' if not loop.last }}{% endfor %})
            ),
            row(told_at, event_id)
        ) as says
    from events
    where event_type = 'payment.failed'
    group by payment_id, is_of_whole_payment, coalesce(object_id, event_id)

),

side_by_side as (

    select
        payment_id,
        min(first_told_at) as first_told_at,
        max(ingested_at) as ingested_at,
        coalesce(array_agg(says order by told_at, says.event_id) filter (where not is_of_whole_payment), array[]) as objects,
        coalesce(array_agg(told_at order by told_at, says.event_id) filter (where not is_of_whole_payment), array[])
            as object_times,
        coalesce(array_agg(says order by told_at, says.event_id) filter (where is_of_whole_payment), array[]) as wholes,
        coalesce(array_agg(told_at order by told_at, says.event_id) filter (where is_of_whole_payment), array[])
            as whole_times
    from failures
    group by payment_id

),

-- One to one, both in the order of time, the earliest pairs first: for each object the number of the event about the
-- whole payment within a few seconds of it, or 0. An event too many makes a try of its own: too many are counted rather
-- than too few. `passed`: how many are used, or lie too far before any object that is left.
{%- set passed -%}
greatest(so_far.passed, cardinality(filter(whole_times, t -> t < told_at - {{ apart }})))
{%- endset %}
paired as (

    select
        *,
        reduce(
            object_times,
            cast(row(0, array[]) as row(passed bigint, partners array(bigint))),
            (so_far, told_at) -> cast(
                if(
                    element_at(whole_times, {{ passed }} + 1) <= told_at + {{ apart }},
                    row({{ passed }} + 1, so_far.partners || ({{ passed }} + 1)),
                    row({{ passed }}, so_far.partners || cast(0 as bigint))
                ) as row(passed bigint, partners array(bigint))
            ),
            so_far -> so_far.partners
        ) as partners
    from side_by_side

),

failed_tries as (

    select
        payment_id,
        first_told_at,
        ingested_at,
        object as own,
        if(partner > 0, wholes[partner]) as whole
    from paired
    cross join unnest(transform(objects, o -> row(o)), partners) as told (object, partner)

    union all

    select
        payment_id,
        first_told_at,
        ingested_at,
        null as own,
        whole
    from paired
    cross join unnest(transform(wholes, w -> row(w))) with ordinality as told (whole, number)
    where not contains(partners, number)

),

-- A payment is approved once, so that every event that says so is about one try, the last one. The object's own event
-- says more of it than the payment's.
approvals as (

    select
        min_by(event_id, row(is_of_whole_payment, told_at, event_id)) as teller,
        min(told_at) as attempted_at,
        bool_or(event_type in ('payment.succeeded', 'payment.captured')) as is_collected,
        max(ingested_at) as ingested_at
    from events
    where event_type <> 'payment.failed'
    group by payment_id

),

attempts as (

    select
        coalesce(own.object_id, whole.event_id) as attempt_id,
        payment_id,
        {% for name in says if name not in ('event_id', 'object_id', 'told_at', 'livemode') -%}
        coalesce(own.{{ name }}, whole.{{ name }}) as {{ name }},
        {% endfor -%}
        coalesce(own.livemode, whole.livemode) as livemode,
        'failed' as outcome,
        coalesce(own.told_at, whole.told_at) as attempted_at,
        first_told_at,
        ingested_at
    from failed_tries

    union all

    select
        coalesce(events.object_id, events.payment_id || ':approved') as attempt_id,
        events.payment_id,
        {% for name in says if name not in ('event_id', 'object_id', 'told_at', 'livemode') -%}
        {{ 'null' if name in ('failure_code', 'decline_class', 'network_decline_code', 'network_advice_code') else 'events.' ~ name }} as {{ name }},
        {% endfor -%}
        events.livemode,
        if(approvals.is_collected, 'succeeded', 'authorized') as outcome,
        approvals.attempted_at,
        approvals.attempted_at as first_told_at,
        approvals.ingested_at
    from events
    inner join approvals on events.event_id = approvals.teller
    where events.event_type <> 'payment.failed'

),

-- Most payments have one try, which need not be sorted.
failing as (

    select payment_id from {{ ref('payment_events') }} where event_type = 'payment.failed' and {{ touched['where'] }}

),

numbered as (

    select
        *,
        1 as attempt_number,
        first_told_at as first_event_at
    from attempts
    where payment_id not in (select payment_id from failing)

    union all

    select
        *,
        row_number() over (
            partition by payment_id order by attempted_at, if(outcome = 'failed', 0, 1), attempt_id
        ) as attempt_number,
        min(first_told_at) over (partition by payment_id) as first_event_at
    from attempts
    where payment_id in (select payment_id from failing)

)

select
    attempt_id,
    payment_id,
    cast(attempt_number as integer) as attempt_number,
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
    first_event_at,
    ingested_at
from numbered
