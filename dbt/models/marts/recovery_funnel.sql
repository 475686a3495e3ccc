with failed as (

    select
        *,
        {{ day_of('first_failure_at') }} as day,
        if(
            is_recovered, date_diff('second', first_failure_at, succeeded_at) / 3600e0
        ) as hours_to_recovery
    from {{ ref('fct_payments') }}
    where first_failure_at is not null

)

select
    day,
    merchant_id,
    currency,
    coalesce(first_decline_class, 'unknown') as decline_class,
    livemode,
    count(*) as payments_failed,
    count_if(attempts > 1) as payments_retried,
    count_if(is_recovered) as payments_recovered,
    sum(attempts) as attempts,
    cast(sum(amount_cents) as bigint) as failed_cents,
    cast(sum(recovered_cents) as bigint) as recovered_cents,
    -- The lower middle one, so that it is an hour that was seen, and the same however rows are ordered.
    element_at(
        array_sort(array_agg(hours_to_recovery) filter (where hours_to_recovery is not null)),
        (count_if(is_recovered) + 1) / 2
    ) as median_hours_to_recovery
from failed
group by 1, 2, 3, 4, 5
