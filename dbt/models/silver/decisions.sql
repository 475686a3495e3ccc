{{ config(
    materialized='incremental',
    incremental_strategy='merge_within_days',
    unique_key='event_id',
    on_schema_change='sync_all_columns',
    properties={'partitioning': "ARRAY['month(decided_at)']"},
    meta={'merge_day': 'decided_at', 'merge_from': 'decided_at'}
) }}

{{ once_and_masked('decisions', key='event_id', latest='decided_at') }}
