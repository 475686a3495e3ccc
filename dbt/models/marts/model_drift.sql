with drifts as (

    select
        day, model_name, model_version, feature, predictions, missing_share, psi, psi_by_chance, ks, ks_p_value, state
    from {{ source('bronze', 'feature_drift') }}

    union all

    select
        day, model_name, model_version, 'score' as feature, predictions, cast(null as double) as missing_share, psi,
        psi_by_chance, ks, ks_p_value, state
    from {{ source('bronze', 'score_drift') }}

)

select
    day,
    model_name,
    model_version,
    feature,
    predictions,
    missing_share,
    psi,
    psi_by_chance,
    ks,
    ks_p_value,
    state,
    state = 'alert' as alert
from drifts
