{{ config(
    materialized='incremental',
    incremental_strategy='merge_within_days',
    unique_key='event_id',
    on_schema_change='sync_all_columns',
    properties={'partitioning': "ARRAY['month(failed_at)']"},
    meta={'merge_day': 'failed_at', 'merge_from': 'failed_at'}
) }}

{{ once_and_masked('quarantine', key='event_id', latest='failed_at') }}
