{{ config(materialized='table') }}

with declines as (

    select distinct
        decline_key,
        coalesce(decline_class, 'unknown') as decline_class,
        failure_code
    from {{ ref('fct_attempts') }}
    where decline_key is not null

)

select
    declines.decline_key,
    declines.decline_class,
    declines.failure_code,
    classes.description,
    declines.decline_class in ('insufficient_funds', 'transient', 'generic', 'unknown') as may_pass_later
from declines
left join {{ ref('decline_classes') }} as classes on declines.decline_class = classes.decline_class
