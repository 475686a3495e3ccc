-- Amounts are whole minor units, and none is below zero: a refund is an amount of its own, not a negative payment.
select payment_id as id from {{ ref('fct_payments') }}
where least(amount_cents, authorised_cents, captured_cents, refunded_cents, disputed_cents, recovered_cents) < 0
union all
select attempt_id as id from {{ ref('fct_attempts') }} where amount_cents < 0
union all
select refund_id as id from {{ ref('fct_refunds') }} where amount_cents < 0
union all
select dispute_id as id from {{ ref('fct_disputes') }} where amount_cents < 0
