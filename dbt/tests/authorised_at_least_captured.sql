-- No more is collected than the issuer approved.
select payment_id, currency, authorised_cents, captured_cents
from {{ ref('fct_payments') }}
where authorised_cents < captured_cents
