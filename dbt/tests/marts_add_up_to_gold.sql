-- The totals of a dashboard are those of the facts, to the minor unit.
with mart as (

    select
        currency,
        sum(payments) as payments,
        sum(attempts) as attempts,
        sum(authorised_cents) as authorised_cents,
        sum(captured_cents) as captured_cents,
        sum(refunded_cents) as refunded_cents,
        sum(disputed_cents) as disputed_cents,
        sum(recovered_cents) as recovered_cents
    from {{ ref('payment_performance') }}
    group by currency

),

gold as (

    select
        currency,
        count_if(attempts > 0) as payments,
        sum(attempts) as attempts,
        sum(authorised_cents) as authorised_cents,
        sum(captured_cents) as captured_cents,
        sum(refunded_cents) as refunded_cents,
        sum(disputed_cents) as disputed_cents,
        sum(recovered_cents) as recovered_cents
    from {{ ref('fct_payments') }}
    group by currency

),

funnel as (

    select currency, sum(recovered_cents) as recovered_cents from {{ ref('recovery_funnel') }} group by currency

)

(select 'payment_performance' as mart, * from (select * from mart except select * from gold))
union all
(select 'gold' as mart, * from (select * from gold except select * from mart))
union all
select 'recovery_funnel', currency, null, null, null, null, null, null, recovered_cents
from funnel
where recovered_cents <> (select gold.recovered_cents from gold where gold.currency = funnel.currency)
