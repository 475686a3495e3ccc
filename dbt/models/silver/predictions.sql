{{ config(
    materialized='incremental',
    incremental_strategy='merge_within_days',
    unique_key='prediction_id',
    on_schema_change='sync_all_columns',
    properties={'partitioning': "ARRAY['month(predicted_at)']"},
    meta={'merge_day': 'predicted_at', 'merge_from': 'predicted_at'}
) }}

{%- set prediction_id -%}
    lower(to_hex(md5(to_utf8(concat_ws('|',
        payment_id, coalesce(event_id, ''), question, model_name, model_version, cast(shadow as varchar),
        cast(predicted_at as varchar)
    )))))
{%- endset %}

{{ once_and_masked('predictions', key=prediction_id, latest='predicted_at', also=prediction_id ~ ' as prediction_id,\n        ') }}
