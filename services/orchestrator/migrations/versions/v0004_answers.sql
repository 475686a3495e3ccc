CREATE VIEW tidegate.answers AS
SELECT
    decided.event_id,
    decided.payment_id,
    decided.merchant_id,
    decided.event_type,
    decided.decided_at,
    told.question,
    told.provenance ->> 'model_name' AS model_name,
    told.provenance ->> 'model_version' AS model_version,
    nullif(told.provenance ->> 'model_alias', '') AS model_alias,
    coalesce((told.provenance ->> 'fallback')::boolean, false) AS fallback,
    nullif(lower(replace(told.provenance ->> 'fallback_cause', 'FALLBACK_CAUSE_', '')), 'unspecified') AS fallback_cause,
    CASE told.question
        WHEN 'fraud' THEN coalesce((told.answer ->> 'fraud_probability')::double precision, 0)
        WHEN 'churn' THEN coalesce((told.answer ->> 'churn_probability')::double precision, 0)
        WHEN 'retry' THEN (told.answer ->> 'success_probability')::double precision
    END AS probability,
    CASE told.question
        WHEN 'fraud' THEN lower(replace(told.answer ->> 'decision', 'FRAUD_DECISION_', ''))
        WHEN 'churn' THEN lower(replace(told.answer ->> 'risk', 'CHURN_RISK_', ''))
        WHEN 'retry' THEN lower(replace(told.answer ->> 'action', 'RETRY_ACTION_', ''))
        WHEN 'recovery' THEN coalesce(lower(replace(told.answer #>> '{steps,0,kind}', 'RECOVERY_STEP_KIND_', '')), 'nothing')
    END AS answer,
    ARRAY(
        SELECT reason.value ->> 'description'
        FROM jsonb_array_elements(told.answer -> 'reasons') WITH ORDINALITY AS reason (value, place)
        ORDER BY reason.place
    ) AS reasons,
    used.features,
    used.features_missing,
    used.features_stale,
    used.oldest_feature_ms,
    (told.provenance ->> 'predicted_at')::timestamptz AS predicted_at
FROM tidegate.decisions AS decided
CROSS JOIN LATERAL (
    SELECT each.question, each.answer, each.answer -> 'provenance' AS provenance
    FROM (VALUES
        ('fraud', decided.decision -> 'fraud'),
        ('retry', decided.decision -> 'retry'),
        ('churn', decided.decision -> 'churn'),
        ('recovery', decided.decision -> 'recovery')
    ) AS each (question, answer)
    WHERE each.answer IS NOT NULL
) AS told
CROSS JOIN LATERAL (
    SELECT
        count(*)::integer AS features,
        (count(*) FILTER (WHERE (feature.value ->> 'missing')::boolean))::integer AS features_missing,
        (count(*) FILTER (WHERE (feature.value ->> 'stale')::boolean))::integer AS features_stale,
        max((feature.value ->> 'age_ms')::bigint) AS oldest_feature_ms
    FROM jsonb_array_elements(told.provenance -> 'features') AS feature (value)
) AS used;

COMMENT ON VIEW tidegate.answers IS
    'One row for each question that was answered for a decision: who answered with what, and why. For people and dashboards.';
COMMENT ON COLUMN tidegate.answers.event_id IS 'The event decided on.';
COMMENT ON COLUMN tidegate.answers.payment_id IS 'Joins all decisions of one payment.';
COMMENT ON COLUMN tidegate.answers.merchant_id IS 'Who the payment is for.';
COMMENT ON COLUMN tidegate.answers.event_type IS 'What happened, such as payment.failed.';
COMMENT ON COLUMN tidegate.answers.decided_at IS 'When it was decided.';
COMMENT ON COLUMN tidegate.answers.question IS 'fraud, retry, churn or recovery.';
COMMENT ON COLUMN tidegate.answers.model_name IS 'Registered name of the model, or of the rules: these end in -rules.';
COMMENT ON COLUMN tidegate.answers.model_version IS 'Version of the model or of the rules.';
COMMENT ON COLUMN tidegate.answers.model_alias IS 'Registry alias that the version served under; null for rules.';
COMMENT ON COLUMN tidegate.answers.fallback IS 'Whether rules answered in place of a model.';
COMMENT ON COLUMN tidegate.answers.fallback_cause IS 'Why rules answered, such as no_model or features_stale; null for a model.';
COMMENT ON COLUMN tidegate.answers.probability IS
    'Of fraud, of leaving, or of success at retry_at; 0 to 1. Of rules: points on that scale. Null for plans and where rules know none.';
COMMENT ON COLUMN tidegate.answers.answer IS
    'What came of it: allow, review, block; low, medium, high; the retry''s action; the kind of a plan''s first step, or nothing.';
COMMENT ON COLUMN tidegate.answers.reasons IS 'Why, in words, strongest first.';
COMMENT ON COLUMN tidegate.answers.features IS 'Features that were asked for.';
COMMENT ON COLUMN tidegate.answers.features_missing IS 'Of these, how many were of entities that had never been seen.';
COMMENT ON COLUMN tidegate.answers.features_stale IS 'Of these, how many were older than may be used.';
COMMENT ON COLUMN tidegate.answers.oldest_feature_ms IS 'Age of the oldest of them at the event, milliseconds; null where there is none.';
COMMENT ON COLUMN tidegate.answers.predicted_at IS 'When it was answered.';

GRANT SELECT ON tidegate.answers TO tidegate_reader;

COMMENT ON COLUMN tidegate.decisions.fraud_probability IS '0 to 1; on attempts to pay, successful or failed.';
COMMENT ON COLUMN tidegate.decisions.fraud_decision IS
    'allow, review or block; on attempts to pay. Of a failed one it bears on the recovery plan alone.';
