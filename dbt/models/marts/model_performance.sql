{#- What came of the answers is found by python -m mlops.monitoring, for each version and day; here it stands beside the
    alias that answered most often under that version. #}
with answers as (

    select
        {{ day_of('predicted_at') }} as day,
        question,
        model_name,
        model_version,
        model_alias,
        count_if(not shadow) as answers,
        count_if(shadow) as shadow_predictions,
        count_if(fallback and not shadow) as fallbacks,
        avg(score) as mean_probability
    from {{ ref('predictions') }}
    group by 1, 2, 3, 4, 5

),

ranked as (

    select
        *,
        row_number() over (
            partition by day, question, model_name, model_version order by answers desc, model_alias
        ) as rank
    from answers

)

select
    ranked.day,
    ranked.question,
    ranked.model_name,
    ranked.model_version,
    ranked.model_alias,
    ranked.answers,
    ranked.shadow_predictions,
    ranked.fallbacks,
    cast(ranked.fallbacks as double) / nullif(ranked.answers, 0) as fallback_share,
    ranked.mean_probability,
    coalesce(found.settled, 0) as labelled,
    found.pending,
    found.happened,
    found.said,
    found.said_to_happened,
    found.brier,
    found.roc_auc,
    found.average_precision,
    found.precision_at_threshold,
    coalesce(found.state, 'unknown') as state
from ranked
left join {{ source('bronze', 'model_performance') }} as found
    on
        ranked.rank = 1
        and ranked.day = found.day
        and ranked.question = found.question
        and ranked.model_name = found.model_name
        and ranked.model_version = found.model_version
