-- What payments say was refunded, contested and tried is what the facts say of the same payments.
with payments as (

    select
        currency,
        sum(refunded_cents) as refunded_cents,
        sum(disputed_cents) as disputed_cents,
        sum(attempts) as attempts
    from {{ ref('fct_payments') }}
    group by currency

),

refunds as (

    select currency, sum(amount_cents) as cents from {{ ref('fct_refunds') }}
    where is_counted and payment_id in (select payment_id from {{ ref('fct_payments') }})
    group by currency

),

disputes as (

    select currency, sum(amount_cents) as cents from {{ ref('fct_disputes') }}
    where payment_id in (select payment_id from {{ ref('fct_payments') }})
    group by currency

),

attempts as (

    select currency, count(*) as attempts from {{ ref('fct_attempts') }} group by currency

)

select payments.currency
from payments
left join refunds on payments.currency = refunds.currency
left join disputes on payments.currency = disputes.currency
left join attempts on payments.currency = attempts.currency
where
    payments.refunded_cents <> coalesce(refunds.cents, 0)
    or payments.disputed_cents <> coalesce(disputes.cents, 0)
    or payments.attempts <> coalesce(attempts.attempts, 0)
