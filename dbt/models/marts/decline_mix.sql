select
    attempts.event_day as day,
    attempts.merchant_id,
    coalesce(attempts.card_brand, 'unknown') as card_brand,
    coalesce(attempts.decline_class, 'unknown') as decline_class,
    coalesce(attempts.failure_code, 'unknown') as failure_code,
    attempts.livemode,
    count(*) as attempts_failed,
    count(distinct attempts.payment_id) as payments_failed,
    count(distinct attempts.payment_id) filter (where payments.is_recovered) as payments_recovered
from {{ ref('fct_attempts') }} as attempts
inner join {{ ref('fct_payments') }} as payments on attempts.payment_id = payments.payment_id
where attempts.outcome = 'failed'
group by 1, 2, 3, 4, 5, 6
