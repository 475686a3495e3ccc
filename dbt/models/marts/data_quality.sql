{%- set moments = {
    'payment_events': 'provider_created_at', 'decisions': 'decided_at', 'quarantine': 'failed_at',
    'predictions': 'predicted_at'
} %}
with rows_of_day as (

    {% for table, moment in moments.items() -%}
    select
        {{ day_of(moment) }} as day,
        '{{ table }}' as source_table,
        '' as rule_id,
        count(*) as rows_ingested,
        cast(0 as bigint) as rows_rejected,
        max({{ moment }}) as last_event_at,
        max(ingested_at) as last_ingested_at,
        cast(max(date_diff('second', stored_at, ingested_at)) as bigint) as longest_lag_seconds
    from {{ ref(table) }}
    group by 1
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

-- What ingest turned away, by the rule of ingest that it breaks.
rejected as (

    select
        event_day as day,
        source_table,
        rule_id,
        cast(0 as bigint) as rows_ingested,
        count(*) as rows_rejected,
        cast(null as timestamp(6) with time zone) as last_event_at,
        max(rejected_at) as last_ingested_at,
        cast(null as bigint) as longest_lag_seconds
    from {{ source('bronze', 'rejected_rows') }}
    group by 1, 2, 3

),

-- What the platform put aside before, by the contract's rule that it breaks: an event counts under each of its rules.
quarantined as (

    select
        {{ day_of('failed_at') }} as day,
        'payments.validation.dlq' as source_table,
        rule_id,
        cast(0 as bigint) as rows_ingested,
        count(*) as rows_rejected,
        cast(null as timestamp(6) with time zone) as last_event_at,
        max(ingested_at) as last_ingested_at,
        cast(null as bigint) as longest_lag_seconds
    from {{ ref('quarantine') }}
    cross join unnest(rule_ids) as broken (rule_id)
    group by 1, 3

)

select * from rows_of_day
union all
select * from rejected
union all
select * from quarantined
