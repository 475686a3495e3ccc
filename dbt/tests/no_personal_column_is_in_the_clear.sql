-- depends_on: {{ ref('payment_events') }}, {{ ref('decisions') }}, {{ ref('quarantine') }}, {{ ref('predictions') }}
-- depends_on: {{ ref('fct_payments') }}, {{ ref('fct_attempts') }}, {{ ref('fct_decisions') }}, {{ ref('data_quality') }}
{#- Names of columns that a contract marks as more than operational, and of no column that is not. #}
{%- set personal, plain = [], [] %}
{%- if execute %}
    {%- for table in graph.sources.values() %}
        {%- for column in table.columns.values() %}
            {%- do (plain if column.meta.sensitivity == 'operational' else personal).append("'" ~ column.name ~ "'") %}
        {%- endfor %}
    {%- endfor %}
{%- endif %}
select table_schema, table_name, column_name
from {{ target.database }}.information_schema.columns
where
    table_schema in ('silver', 'gold', 'marts')
    and column_name in ({{ (personal or ["''"]) | unique | reject('in', plain) | join(', ') }})
