{{ config(materialized='table') }}

select
    customer_key,
    min_by(merchant_id, row(provider_created_at, event_id)) as first_merchant_id,
    count(distinct merchant_id) as merchants,
    min(provider_created_at) as first_event_at,
    max(provider_created_at) as last_event_at
from {{ ref('payment_events') }}
where customer_key is not null
group by customer_key
