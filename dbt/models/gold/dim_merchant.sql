{{ config(materialized='table') }}

select
    merchant_id,
    array_sort(array_agg(distinct provider)) as providers,
    array_sort(array_agg(distinct currency)) as currencies,
    min(provider_created_at) as first_event_at,
    max(provider_created_at) as last_event_at
from {{ ref('payment_events') }}
group by merchant_id
