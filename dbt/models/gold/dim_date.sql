{{ config(materialized='table') }}

with bounds as (

    select
        date_trunc('year', least(min(event_day), current_date)) as first_day,
        date_trunc('year', greatest(max(event_day), current_date)) + interval '1' year - interval '1' day as last_day
    from {{ ref('fct_payments') }}

)

select
    day,
    cast(year(day) as integer) as year,
    cast(quarter(day) as integer) as quarter,
    cast(month(day) as integer) as month,
    cast(day_of_week(day) as integer) as day_of_week,
    day_of_week(day) in (6, 7) as is_weekend,
    cast(date_trunc('week', day) as date) as week_start,
    cast(date_trunc('month', day) as date) as month_start
from bounds
cross join unnest(
    sequence(coalesce(first_day, current_date), coalesce(last_day, current_date), interval '1' day)
) as days (day)
