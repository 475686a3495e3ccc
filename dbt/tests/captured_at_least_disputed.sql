-- No more is contested than was collected. Of payments whose collection is known: a dispute may be heard of before it.
select payment_id, currency, captured_cents, disputed_cents
from {{ ref('fct_payments') }}
where captured_cents < disputed_cents and succeeded_at is not null
