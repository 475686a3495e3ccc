-- depends_on: {{ ref('payment_performance') }}, {{ ref('recovery_funnel') }}, {{ ref('fct_decisions') }}
-- No column of money can hold a fraction.
select table_schema, table_name, column_name, data_type
from {{ target.database }}.information_schema.columns
where table_schema in ('silver', 'gold', 'marts') and column_name like '%\_cents' escape '\' and data_type <> 'bigint'
