{#
  A bronze table's new rows, each key once (the row that came last holds), with personal columns masked by their mark.
  Whether a key is repeated is asked first, by a hash of it: as a rule none is, and then nothing has to be sorted.
#}
{% macro once_and_masked(table, key, latest, also='', except=[]) -%}
{%- set columns = also ~ masked_columns(table, except) -%}
{%- set new = is_new_up_to_now(source('bronze', table)) -%}
{%- if not are_repeated(source('bronze', table), key, new) -%}

select
        {{ columns }}
from {{ source('bronze', table) }}
where {{ new }}

{%- else -%}

with ranked as (

    select
        *,
        row_number() over (partition by {{ key }} order by ingested_at desc, {{ latest }} desc) as recency
    from {{ source('bronze', table) }}
    where {{ new }}

)

select
        {{ columns }}
from ranked
where recency = 1

{%- endif -%}
{%- endmacro %}

{% macro are_repeated(relation, key, new) %}
    {%- if not execute -%}
        {{ return(false) }}
    {%- endif -%}
    {{ return(run_query(
        'select 1 from ' ~ relation ~ ' where ' ~ new ~ ' group by xxhash64(to_utf8(' ~ key ~ ')) having count(*) > 1 limit 1'
    ).rows | length > 0) }}
{% endmacro %}
