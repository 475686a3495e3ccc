{#
  A bronze table's new rows, each key once (the row that came last holds), with personal columns masked by their mark.
  Repeated keys are looked for first and are few: no more than they have to be sorted, whatever the table's size.
#}
{% macro once_and_masked(table, key, latest, also='', except=[]) -%}
with arrived as (

    select * from {{ source('bronze', table) }} where {{ is_new() }}

),

repeated as (

    select {{ key }} as repeated_key from arrived group by {{ key }} having count(*) > 1

),

ranked as (

    select
        *,
        row_number() over (
            partition by {{ key }} order by ingested_at desc, {{ latest }} desc
        ) as recency
    from arrived
    where {{ key }} in (select repeated_key from repeated)

)

select
        {{ also }}{{ masked_columns(table, except) }}
from arrived
where {{ key }} not in (select repeated_key from repeated)

union all

select
        {{ also }}{{ masked_columns(table, except) }}
from ranked
where recency = 1
{%- endmacro %}
