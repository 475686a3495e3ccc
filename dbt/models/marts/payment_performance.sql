with payments as (

    select
        *,
        authorised_cents > 0 or succeeded_at is not null as is_approved
    from {{ ref('fct_payments') }}

)

select
    event_day as day,
    merchant_id,
    currency,
    livemode,
    count_if(attempts > 0) as payments,
    -- Of one that was approved no try may be known: its charge is heard of by its refund alone.
    count_if(attempts > 0 and is_approved) as payments_succeeded,
    count_if(attempts > 0 and not is_approved) as payments_failed,
    sum(attempts) as attempts,
    sum(failed_attempts) as attempts_failed,
    cast(sum(authorised_cents) as bigint) as authorised_cents,
    cast(sum(captured_cents) as bigint) as captured_cents,
    cast(sum(refunded_cents) as bigint) as refunded_cents,
    cast(sum(disputed_cents) as bigint) as disputed_cents,
    count_if(is_recovered) as recovered_payments,
    cast(sum(recovered_cents) as bigint) as recovered_cents,
    cast(sum(attempts - failed_attempts) as double) / nullif(sum(attempts), 0) as authorisation_rate
from payments
group by event_day, merchant_id, currency, livemode
