DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tidegate_monitor') THEN
        RAISE EXCEPTION USING
            MESSAGE = 'a role is missing: tidegate_monitor',
            HINT = 'Create it first (CREATE ROLE tidegate_monitor LOGIN PASSWORD ''...''); the migration grants what it needs.';
    END IF;
END
$$;

CREATE TABLE tidegate.feature_skew (
    model_name         text             NOT NULL,
    model_version      text             NOT NULL,
    day                date             NOT NULL,
    feature            text             NOT NULL,
    compared           bigint           NOT NULL CHECK (compared >= 0),
    equal              bigint           NOT NULL,
    close              bigint           NOT NULL,
    behind             bigint           NOT NULL,
    ahead              bigint           NOT NULL,
    missing_online     bigint           NOT NULL,
    missing_offline    bigint           NOT NULL,
    different          bigint           NOT NULL,
    stale              bigint           NOT NULL,
    not_compared       jsonb            NOT NULL,
    largest_difference double precision,
    examples           text[]           NOT NULL,
    skew_share         double precision,
    race_share         double precision,
    state              text             NOT NULL CHECK (state IN ('ok', 'unknown', 'watch', 'alert')),
    computed_at        timestamptz      NOT NULL DEFAULT now(),
    PRIMARY KEY (model_name, model_version, day, feature),
    CHECK (compared = equal + close + behind + ahead + missing_online + missing_offline + different)
);
COMMENT ON TABLE tidegate.feature_skew IS
    'How the values that models were given compare with those that the transform makes of the stream, by version, day and feature. Written by python -m mlops.monitoring; a day that is computed again replaces its row.';
COMMENT ON COLUMN tidegate.feature_skew.model_name IS 'Registered name of the model, or of the rules that answered in its place.';
COMMENT ON COLUMN tidegate.feature_skew.model_version IS 'Its version.';
COMMENT ON COLUMN tidegate.feature_skew.day IS 'Day on which the predictions were made, UTC.';
COMMENT ON COLUMN tidegate.feature_skew.feature IS 'Feature view and name, such as customer_stats:failed_payments_7d; payment:… is what the payment shows by itself.';
COMMENT ON COLUMN tidegate.feature_skew.compared IS 'Values that were compared: the seven columns that follow add up to it.';
COMMENT ON COLUMN tidegate.feature_skew.equal IS 'The same value, or none on both sides.';
COMMENT ON COLUMN tidegate.feature_skew.close IS 'Within 1e-9 of it.';
COMMENT ON COLUMN tidegate.feature_skew.behind IS 'Exactly what a store gives that had not yet come to the latest facts before the event: a race.';
COMMENT ON COLUMN tidegate.feature_skew.ahead IS 'Exactly what a store gives that had also what came between the event and the answer: a race.';
COMMENT ON COLUMN tidegate.feature_skew.missing_online IS 'Skew: the model was given none, and there was a value.';
COMMENT ON COLUMN tidegate.feature_skew.missing_offline IS 'Skew: the model was given a value, and there was none.';
COMMENT ON COLUMN tidegate.feature_skew.different IS 'Skew: two values, and no race explains it.';
COMMENT ON COLUMN tidegate.feature_skew.stale IS 'Values that were older than their TTL, and so not used.';
COMMENT ON COLUMN tidegate.feature_skew.not_compared IS 'Values that could not be compared, by reason: no_event_id, event_not_in_topic, rules_answered, no_offline_value.';
COMMENT ON COLUMN tidegate.feature_skew.largest_difference IS 'Largest distance of two values that are different; null where none are.';
COMMENT ON COLUMN tidegate.feature_skew.examples IS 'Ids of up to five events with skew.';
COMMENT ON COLUMN tidegate.feature_skew.skew_share IS 'missing_online, missing_offline and different as a share of compared; null where nothing was compared.';
COMMENT ON COLUMN tidegate.feature_skew.race_share IS 'behind as a share of compared; null where nothing was compared.';
COMMENT ON COLUMN tidegate.feature_skew.state IS 'ok, watch or alert by mlops/monitoring/thresholds.yaml; unknown where nothing was compared.';
COMMENT ON COLUMN tidegate.feature_skew.computed_at IS 'When the row was last written.';

CREATE TABLE tidegate.feature_drift (
    model_name              text             NOT NULL,
    model_version           text             NOT NULL,
    day                     date             NOT NULL,
    feature                 text             NOT NULL,
    predictions             bigint           NOT NULL CHECK (predictions > 0),
    missing_share           double precision NOT NULL,
    reference_missing_share double precision NOT NULL,
    psi                     double precision,
    psi_by_chance           double precision,
    ks                      double precision,
    ks_p_value              double precision,
    state                   text             NOT NULL CHECK (state IN ('ok', 'unknown', 'watch', 'alert')),
    computed_at             timestamptz      NOT NULL DEFAULT now(),
    PRIMARY KEY (model_name, model_version, day, feature)
);
COMMENT ON TABLE tidegate.feature_drift IS
    'How the values of a day lie against those of the rows that judged the model, by version, day and feature. Written by python -m mlops.monitoring; a day that is computed again replaces its row.';
COMMENT ON COLUMN tidegate.feature_drift.model_name IS 'Registered name of the model.';
COMMENT ON COLUMN tidegate.feature_drift.model_version IS 'Its version.';
COMMENT ON COLUMN tidegate.feature_drift.day IS 'Day on which the predictions were made, UTC.';
COMMENT ON COLUMN tidegate.feature_drift.feature IS 'Feature view and name, such as customer_stats:failed_payments_7d; payment:… is what the payment shows by itself.';
COMMENT ON COLUMN tidegate.feature_drift.predictions IS 'Predictions of the day, those of a challenger included where the version was one.';
COMMENT ON COLUMN tidegate.feature_drift.missing_share IS 'Share of them without a value.';
COMMENT ON COLUMN tidegate.feature_drift.reference_missing_share IS 'The same of the rows that judged the model.';
COMMENT ON COLUMN tidegate.feature_drift.psi IS 'Population stability index over ten bins of the reference and one of values not known.';
COMMENT ON COLUMN tidegate.feature_drift.psi_by_chance IS 'What the index stays below in 99 of 100 days without any drift, given so many predictions.';
COMMENT ON COLUMN tidegate.feature_drift.ks IS 'Kolmogorov-Smirnov: largest distance of the cumulative distributions of known values; null where none are known.';
COMMENT ON COLUMN tidegate.feature_drift.ks_p_value IS 'Chance of so large a distance without any drift.';
COMMENT ON COLUMN tidegate.feature_drift.state IS 'The worse of both by mlops/monitoring/thresholds.yaml: ok, watch or alert; unknown where the day has too few predictions to tell an alert from chance.';
COMMENT ON COLUMN tidegate.feature_drift.computed_at IS 'When the row was last written.';

CREATE TABLE tidegate.score_drift (
    model_name    text             NOT NULL,
    model_version text             NOT NULL,
    day           date             NOT NULL,
    predictions   bigint           NOT NULL CHECK (predictions > 0),
    mean_score    double precision NOT NULL,
    psi           double precision,
    psi_by_chance double precision,
    ks            double precision,
    ks_p_value    double precision,
    state         text             NOT NULL CHECK (state IN ('ok', 'unknown', 'watch', 'alert')),
    computed_at   timestamptz      NOT NULL DEFAULT now(),
    PRIMARY KEY (model_name, model_version, day)
);
COMMENT ON TABLE tidegate.score_drift IS
    'The same as feature_drift of the probabilities that the model gave.';
COMMENT ON COLUMN tidegate.score_drift.model_name IS 'Registered name of the model.';
COMMENT ON COLUMN tidegate.score_drift.model_version IS 'Its version.';
COMMENT ON COLUMN tidegate.score_drift.day IS 'Day on which the predictions were made, UTC.';
COMMENT ON COLUMN tidegate.score_drift.predictions IS 'Predictions of the day, those of a challenger included where the version was one.';
COMMENT ON COLUMN tidegate.score_drift.mean_score IS 'Mean probability.';
COMMENT ON COLUMN tidegate.score_drift.psi IS 'Population stability index over ten bins of the reference.';
COMMENT ON COLUMN tidegate.score_drift.psi_by_chance IS 'What the index stays below in 99 of 100 days without any drift, given so many predictions.';
COMMENT ON COLUMN tidegate.score_drift.ks IS 'Kolmogorov-Smirnov: largest distance of the cumulative distributions.';
COMMENT ON COLUMN tidegate.score_drift.ks_p_value IS 'Chance of so large a distance without any drift.';
COMMENT ON COLUMN tidegate.score_drift.state IS 'The worse of both by mlops/monitoring/thresholds.yaml: ok, watch or alert; unknown where the day has too few predictions to tell an alert from chance.';
COMMENT ON COLUMN tidegate.score_drift.computed_at IS 'When the row was last written.';

CREATE TABLE tidegate.model_performance (
    model_name             text             NOT NULL,
    model_version          text             NOT NULL,
    day                    date             NOT NULL,
    question               text             NOT NULL,
    label_delay_days       integer          NOT NULL,
    predictions            bigint           NOT NULL CHECK (predictions > 0),
    pending                bigint           NOT NULL,
    unobserved             bigint           NOT NULL,
    settled                bigint           NOT NULL,
    happened               bigint           NOT NULL,
    said                   double precision NOT NULL,
    said_to_happened       double precision,
    average_precision      double precision,
    roc_auc                double precision,
    brier                  double precision,
    threshold_name         text,
    threshold              double precision,
    flagged                bigint,
    precision_at_threshold double precision,
    state                  text             NOT NULL CHECK (state IN ('ok', 'unknown', 'watch', 'alert')),
    computed_at            timestamptz      NOT NULL DEFAULT now(),
    PRIMARY KEY (model_name, model_version, day),
    CHECK (predictions = pending + unobserved + settled),
    CHECK (happened <= settled)
);
COMMENT ON TABLE tidegate.model_performance IS
    'What came of the answers of a day, by version, as far as it is known: nothing is concluded before a label''s delay is over. Written by python -m mlops.monitoring; a day that is computed again replaces its row.';
COMMENT ON COLUMN tidegate.model_performance.model_name IS 'Registered name of the model.';
COMMENT ON COLUMN tidegate.model_performance.model_version IS 'Its version.';
COMMENT ON COLUMN tidegate.model_performance.day IS 'Day on which the predictions were made, UTC.';
COMMENT ON COLUMN tidegate.model_performance.question IS 'fraud, retry or churn: what the probability is of.';
COMMENT ON COLUMN tidegate.model_performance.label_delay_days IS 'How old a payment must be before its label is asked for.';
COMMENT ON COLUMN tidegate.model_performance.predictions IS 'Payments (fraud) or events (others) that the version answered for; of one that was asked about again the first answer counts.';
COMMENT ON COLUMN tidegate.model_performance.pending IS 'Of those, too young for a label.';
COMMENT ON COLUMN tidegate.model_performance.unobserved IS 'Of those, old enough but without a label: the event is not stored, or the payment was not tried again (retry).';
COMMENT ON COLUMN tidegate.model_performance.settled IS 'Of those, with a label. All figures that follow are of these.';
COMMENT ON COLUMN tidegate.model_performance.happened IS 'How many were disputed as fraudulent (fraud), succeeded at the next attempt (retry), paid no more (churn), within the delay.';
COMMENT ON COLUMN tidegate.model_performance.said IS 'How many the probabilities say, which is their sum.';
COMMENT ON COLUMN tidegate.model_performance.said_to_happened IS 'said divided by happened; null where nothing happened.';
COMMENT ON COLUMN tidegate.model_performance.average_precision IS 'Null where all labels are the same.';
COMMENT ON COLUMN tidegate.model_performance.roc_auc IS 'Null where all labels are the same.';
COMMENT ON COLUMN tidegate.model_performance.brier IS 'Mean squared distance of the probability from what happened.';
COMMENT ON COLUMN tidegate.model_performance.threshold_name IS 'The highest of the version''s thresholds, such as decline.';
COMMENT ON COLUMN tidegate.model_performance.threshold IS 'Its value.';
COMMENT ON COLUMN tidegate.model_performance.flagged IS 'How many lie at or above it.';
COMMENT ON COLUMN tidegate.model_performance.precision_at_threshold IS 'Share of those that happened.';
COMMENT ON COLUMN tidegate.model_performance.state IS 'What said_to_happened is by mlops/monitoring/thresholds.yaml: ok, watch or alert; unknown where too little happened.';
COMMENT ON COLUMN tidegate.model_performance.computed_at IS 'When the row was last written.';

-- A role of its own, not the writer: the job runs where people work, and needs no right to store events and decisions.
GRANT USAGE ON SCHEMA tidegate TO tidegate_monitor;
-- What features are made of, where the topics have lost their beginning; and what says whether a payment was disputed,
-- tried again, or followed by another.
GRANT SELECT (event_id, provider, merchant_id, customer_id, card_fingerprint, payment_id, provider_object_id, event_type,
    amount_cents, currency, decline_class, reason, provider_created_at, processed_at)
    ON tidegate.payment_events TO tidegate_monitor;
GRANT SELECT (event_id, payment_id, merchant_id, customer_id, amount_cents, currency, fraud_probability, decided_at)
    ON tidegate.decisions TO tidegate_monitor;
GRANT SELECT, INSERT, UPDATE ON tidegate.feature_skew, tidegate.feature_drift, tidegate.score_drift,
    tidegate.model_performance TO tidegate_monitor;

GRANT SELECT ON tidegate.feature_skew, tidegate.feature_drift, tidegate.score_drift, tidegate.model_performance
    TO tidegate_reader;
