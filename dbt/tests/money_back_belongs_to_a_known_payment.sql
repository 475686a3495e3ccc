{{ config(severity='warn') }}
-- Refunds and disputes of payments whose collection was never heard of: events are late, or lost. A refund from a
-- customer's balance gives back no payment and has its own id in the payment's place.
select money_back.payment_id, money_back.told_by
from (
    select payment_id, refund_id as told_by from {{ ref('fct_refunds') }} where payment_id <> refund_id and is_counted
    union all
    select payment_id, dispute_id as told_by from {{ ref('fct_disputes') }}
) as money_back
left join {{ ref('fct_payments') }} as payments on money_back.payment_id = payments.payment_id
where payments.succeeded_at is null
