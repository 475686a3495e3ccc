-- No rate of payments is above one: of those that were tried, each was approved or has failed so far.
select day, merchant_id, currency, payments, payments_succeeded, payments_failed
from {{ ref('payment_performance') }}
where payments <> payments_succeeded + payments_failed
