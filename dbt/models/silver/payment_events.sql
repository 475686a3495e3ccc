{{ config(
    materialized='incremental',
    incremental_strategy='merge_within_days',
    unique_key='event_id',
    on_schema_change='sync_all_columns',
    properties={'partitioning': "ARRAY['month(provider_created_at)']"},
    meta={'merge_day': 'provider_created_at', 'merge_from': 'provider_created_at'}
) }}

{{ once_and_masked('payment_events', key='event_id', latest='processed_at') }}
