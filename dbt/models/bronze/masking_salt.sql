{{ config(
    materialized='incremental',
    incremental_strategy='append',
    full_refresh=false,
    on_schema_change='fail'
) }}

select to_hex(sha256(cast(cast(uuid() as varchar) || cast(uuid() as varchar) as varbinary))) as salt
{% if is_incremental() %}
where not exists (select 1 from {{ this }})
{% endif %}
