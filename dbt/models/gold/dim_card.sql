{{ config(materialized='table') }}

select
    card_key,
    max_by(card_brand, row(provider_created_at, event_id)) filter (where card_brand is not null) as card_brand,
    max_by(card_funding, row(provider_created_at, event_id)) filter (where card_funding is not null) as card_funding,
    max_by(card_country, row(provider_created_at, event_id)) filter (where card_country is not null) as card_country,
    max_by(card_exp_month, row(provider_created_at, event_id)) filter (where card_exp_year is not null) as card_exp_month,
    max_by(card_exp_year, row(provider_created_at, event_id)) filter (where card_exp_year is not null) as card_exp_year,
    min(provider_created_at) as first_event_at,
    max(provider_created_at) as last_event_at
from {{ ref('payment_events') }}
where card_key is not null
group by card_key
