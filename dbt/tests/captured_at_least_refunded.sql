-- No more is given back than was collected. Of payments whose collection is known: a refund may be heard of before it.
select payment_id, currency, captured_cents, refunded_cents
from {{ ref('fct_payments') }}
where captured_cents < refunded_cents and succeeded_at is not null
