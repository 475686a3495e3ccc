DO $$
DECLARE
    missing text;
BEGIN
    SELECT string_agg(name, ', ') INTO missing
    FROM unnest(ARRAY['tidegate_writer', 'tidegate_reader']) AS name
    WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name);
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION USING
            MESSAGE = 'roles are missing: ' || missing,
            HINT = 'Create them first (CREATE ROLE <name> LOGIN PASSWORD ''...''); the migration grants what they need.';
    END IF;
END
$$;

CREATE TABLE tidegate.payment_events (
    event_id              text        PRIMARY KEY,
    provider              text        NOT NULL,
    provider_event_id     text        NOT NULL,
    event_type            text        NOT NULL,
    merchant_id           text        NOT NULL,
    customer_id           text,
    amount_cents          bigint      NOT NULL CHECK (amount_cents >= 0),
    currency              text        NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    payment_method_type   text,
    card_brand            text,
    card_last_four        text,
    status                text        NOT NULL,
    failure_code          text,
    failure_message       text,
    metadata              jsonb       NOT NULL,
    provider_created_at   timestamptz NOT NULL,
    processed_at          timestamptz NOT NULL,
    schema_version        integer     NOT NULL,
    payment_id            text        NOT NULL,
    provider_object_id    text        NOT NULL,
    receipt_id            text        NOT NULL,
    decline_class         text,
    network_decline_code  text,
    network_advice_code   text,
    provider_advice_code  text,
    card_fingerprint      text,
    card_country          text,
    card_funding          text,
    card_exp_month        integer,
    card_exp_year         integer,
    amount_captured_cents bigint      CHECK (amount_captured_cents >= 0),
    amount_refunded_cents bigint      CHECK (amount_refunded_cents >= 0),
    invoice_id            text,
    provider_risk_score   integer,
    reason                text,
    livemode              boolean     NOT NULL,
    stored_at             timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX payment_events_by_payment ON tidegate.payment_events (payment_id, provider_created_at);
CREATE INDEX payment_events_by_customer ON tidegate.payment_events (customer_id, provider_created_at)
    WHERE customer_id IS NOT NULL;
CREATE INDEX payment_events_by_merchant ON tidegate.payment_events (merchant_id, provider_created_at);

COMMENT ON TABLE tidegate.payment_events IS
    'One row per event, in the schema of tidegate.payments.v1.UnifiedPaymentEvent. Append-only. PostgreSQL''s text holds no U+0000: it is stored as U+FFFD.';
COMMENT ON COLUMN tidegate.payment_events.event_id IS '<provider>:<provider''s event id>; unique in the whole platform.';
COMMENT ON COLUMN tidegate.payment_events.provider IS 'stripe, square, paypal or adyen.';
COMMENT ON COLUMN tidegate.payment_events.provider_event_id IS 'The provider''s own id of the event.';
COMMENT ON COLUMN tidegate.payment_events.event_type IS 'What happened, such as payment.failed.';
COMMENT ON COLUMN tidegate.payment_events.merchant_id IS 'Who the payment is for.';
COMMENT ON COLUMN tidegate.payment_events.customer_id IS 'PERSONAL. The provider''s id of the paying customer; null for guests.';
COMMENT ON COLUMN tidegate.payment_events.amount_cents IS 'In the minor unit of currency by ISO 4217''s exponent: cents for USD, yen for JPY (exponent 0), fils for KWD (exponent 3).';
COMMENT ON COLUMN tidegate.payment_events.currency IS 'ISO 4217 code.';
COMMENT ON COLUMN tidegate.payment_events.payment_method_type IS 'How it was paid, in the provider''s words.';
COMMENT ON COLUMN tidegate.payment_events.card_brand IS 'Card brand in lower case.';
COMMENT ON COLUMN tidegate.payment_events.card_last_four IS 'PERSONAL. Last four digits of the card.';
COMMENT ON COLUMN tidegate.payment_events.status IS 'Where the payment stands after this event, such as succeeded or refund_pending.';
COMMENT ON COLUMN tidegate.payment_events.failure_code IS 'Decline or error code in the provider''s words.';
COMMENT ON COLUMN tidegate.payment_events.failure_message IS 'The provider''s words for the failure.';
COMMENT ON COLUMN tidegate.payment_events.metadata IS 'PERSONAL. The merchant''s own key/value pairs.';
COMMENT ON COLUMN tidegate.payment_events.provider_created_at IS 'When the provider says the event happened.';
COMMENT ON COLUMN tidegate.payment_events.processed_at IS 'When Tidegate normalised it.';
COMMENT ON COLUMN tidegate.payment_events.schema_version IS 'Version of the unified schema''s meaning.';
COMMENT ON COLUMN tidegate.payment_events.payment_id IS 'Joins all events of one payment.';
COMMENT ON COLUMN tidegate.payment_events.provider_object_id IS 'The provider''s id of the object in the event.';
COMMENT ON COLUMN tidegate.payment_events.receipt_id IS 'The arrival the event came with: joins to the gateway''s logs.';
COMMENT ON COLUMN tidegate.payment_events.decline_class IS 'Kind of decline, such as insufficient_funds; on failures.';
COMMENT ON COLUMN tidegate.payment_events.network_decline_code IS 'The card network''s response code, such as 51.';
COMMENT ON COLUMN tidegate.payment_events.network_advice_code IS 'The card network''s advice code, such as 03.';
COMMENT ON COLUMN tidegate.payment_events.provider_advice_code IS 'The provider''s advice, such as do_not_try_again.';
COMMENT ON COLUMN tidegate.payment_events.card_fingerprint IS 'PERSONAL. Identifies the card across customers.';
COMMENT ON COLUMN tidegate.payment_events.card_country IS 'Two-letter country of the issuer.';
COMMENT ON COLUMN tidegate.payment_events.card_funding IS 'credit, debit, prepaid or unknown.';
COMMENT ON COLUMN tidegate.payment_events.card_exp_month IS 'Expiry month of the card.';
COMMENT ON COLUMN tidegate.payment_events.card_exp_year IS 'Expiry year of the card.';
COMMENT ON COLUMN tidegate.payment_events.amount_captured_cents IS 'Captured so far, in the minor unit of currency; on payments.';
COMMENT ON COLUMN tidegate.payment_events.amount_refunded_cents IS 'Refunded so far, in the minor unit of currency; on payments.';
COMMENT ON COLUMN tidegate.payment_events.invoice_id IS 'The provider''s id of the invoice that is paid.';
COMMENT ON COLUMN tidegate.payment_events.provider_risk_score IS 'The provider''s own risk score, 0 to 100.';
COMMENT ON COLUMN tidegate.payment_events.reason IS 'Why a refund was made or a payment is disputed, in the provider''s words.';
COMMENT ON COLUMN tidegate.payment_events.livemode IS 'Whether real money moved.';
COMMENT ON COLUMN tidegate.payment_events.stored_at IS 'When the row was written.';

CREATE TABLE tidegate.decisions (
    event_id          text             PRIMARY KEY REFERENCES tidegate.payment_events (event_id),
    payment_id        text             NOT NULL,
    merchant_id       text             NOT NULL,
    customer_id       text,
    provider          text             NOT NULL,
    event_type        text             NOT NULL,
    amount_cents      bigint           NOT NULL,
    currency          text             NOT NULL,
    action            text             NOT NULL,
    rule_ids          text[]           NOT NULL,
    degraded          boolean          NOT NULL,
    degraded_steps    text[]           NOT NULL,
    fraud_probability double precision,
    fraud_decision    text,
    retry_action      text,
    retry_at          timestamptz,
    network_rule      text,
    churn_probability double precision,
    churn_risk        text,
    recovery_steps    text[],
    models            text[]           NOT NULL,
    fallback          boolean          NOT NULL,
    decided_at        timestamptz      NOT NULL,
    receipt_id        text             NOT NULL,
    schema_version    integer          NOT NULL,
    decision          jsonb            NOT NULL,
    stored_at         timestamptz      NOT NULL DEFAULT now(),
    CHECK (degraded = (cardinality(degraded_steps) > 0))
);
CREATE INDEX decisions_by_payment ON tidegate.decisions (payment_id, decided_at);
CREATE INDEX decisions_by_customer ON tidegate.decisions (customer_id, decided_at) WHERE customer_id IS NOT NULL;
CREATE INDEX decisions_by_merchant ON tidegate.decisions (merchant_id, decided_at);
CREATE INDEX decisions_degraded ON tidegate.decisions (decided_at) WHERE degraded;

COMMENT ON TABLE tidegate.decisions IS
    'One row per event: what was decided, written in the transaction that wrote the event. Append-only.';
COMMENT ON COLUMN tidegate.decisions.event_id IS 'The event decided on.';
COMMENT ON COLUMN tidegate.decisions.payment_id IS 'Joins all decisions of one payment.';
COMMENT ON COLUMN tidegate.decisions.merchant_id IS 'Who the payment is for.';
COMMENT ON COLUMN tidegate.decisions.customer_id IS 'PERSONAL. The paying customer; null for guests.';
COMMENT ON COLUMN tidegate.decisions.provider IS 'Who sent the event.';
COMMENT ON COLUMN tidegate.decisions.event_type IS 'What happened, such as payment.failed.';
COMMENT ON COLUMN tidegate.decisions.amount_cents IS 'In the minor unit of currency (ISO 4217 exponent).';
COMMENT ON COLUMN tidegate.decisions.currency IS 'ISO 4217 code.';
COMMENT ON COLUMN tidegate.decisions.action IS 'record, approve, review, block, retry, do_not_retry, update_payment_method or authenticate.';
COMMENT ON COLUMN tidegate.decisions.rule_ids IS 'Business rules that the event broke.';
COMMENT ON COLUMN tidegate.decisions.degraded IS 'Whether a step failed for good and its answer is missing.';
COMMENT ON COLUMN tidegate.decisions.degraded_steps IS 'Which steps; why is in decision -> degraded_steps.';
COMMENT ON COLUMN tidegate.decisions.fraud_probability IS '0 to 1; on successful payments.';
COMMENT ON COLUMN tidegate.decisions.fraud_decision IS 'allow, review or block; on successful payments.';
COMMENT ON COLUMN tidegate.decisions.retry_action IS 'What the retry strategy recommends; on failed payments.';
COMMENT ON COLUMN tidegate.decisions.retry_at IS 'When to try again; where retry_action is retry.';
COMMENT ON COLUMN tidegate.decisions.network_rule IS 'The card network''s rule that bounds the strategy, such as visa.category_1.';
COMMENT ON COLUMN tidegate.decisions.churn_probability IS '0 to 1; where the customer is known.';
COMMENT ON COLUMN tidegate.decisions.churn_risk IS 'low, medium or high; where the customer is known.';
COMMENT ON COLUMN tidegate.decisions.recovery_steps IS 'Kinds of the recovery plan''s steps, in order; on failed payments.';
COMMENT ON COLUMN tidegate.decisions.models IS 'Who answered: <model or rule set>@<version>, one for each question.';
COMMENT ON COLUMN tidegate.decisions.fallback IS 'Whether rules answered in place of a model.';
COMMENT ON COLUMN tidegate.decisions.decided_at IS 'When it was decided.';
COMMENT ON COLUMN tidegate.decisions.receipt_id IS 'The arrival the event came with.';
COMMENT ON COLUMN tidegate.decisions.schema_version IS 'Version of the decision schema''s meaning.';
COMMENT ON COLUMN tidegate.decisions.decision IS 'PERSONAL (customer_id). The whole tidegate.decisions.v1.PaymentDecision as JSON, with its reasons and provenance.';
COMMENT ON COLUMN tidegate.decisions.stored_at IS 'When the row was written.';

CREATE TABLE tidegate.quarantine (
    event_id            text        PRIMARY KEY,
    provider            text,
    provider_event_type text        NOT NULL,
    merchant_id         text        NOT NULL,
    rule_ids            text[]      NOT NULL,
    violations          jsonb       NOT NULL,
    origin_topic        text        NOT NULL,
    origin_partition    integer     NOT NULL,
    origin_offset       bigint      NOT NULL,
    receipt_id          text        NOT NULL,
    failed_at           timestamptz NOT NULL,
    schema_version      integer     NOT NULL,
    stored_at           timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX quarantine_by_merchant ON tidegate.quarantine (merchant_id, failed_at);
CREATE INDEX quarantine_by_time ON tidegate.quarantine (failed_at);

COMMENT ON TABLE tidegate.quarantine IS
    'Events that could not become decisions, with the rules they broke; the original lies on Kafka at origin_*. One row per event. Holds no value from a body.';
COMMENT ON COLUMN tidegate.quarantine.event_id IS '<provider>:<provider''s event id>; <topic>:<partition>:<offset> where the message could not be read.';
COMMENT ON COLUMN tidegate.quarantine.provider IS 'Who sent it; null where the message could not be read.';
COMMENT ON COLUMN tidegate.quarantine.provider_event_type IS 'The provider''s own event type; empty where not known.';
COMMENT ON COLUMN tidegate.quarantine.merchant_id IS 'Who the payment is for; empty where not known.';
COMMENT ON COLUMN tidegate.quarantine.rule_ids IS 'Rules that were broken, in the order found.';
COMMENT ON COLUMN tidegate.quarantine.violations IS 'The same with field paths and words.';
COMMENT ON COLUMN tidegate.quarantine.origin_topic IS 'Topic of the original.';
COMMENT ON COLUMN tidegate.quarantine.origin_partition IS 'Partition of the original.';
COMMENT ON COLUMN tidegate.quarantine.origin_offset IS 'Offset of the original.';
COMMENT ON COLUMN tidegate.quarantine.receipt_id IS 'The arrival it came with; empty where not known.';
COMMENT ON COLUMN tidegate.quarantine.failed_at IS 'When the rule was found broken.';
COMMENT ON COLUMN tidegate.quarantine.schema_version IS 'Version of the failure schema''s meaning.';
COMMENT ON COLUMN tidegate.quarantine.stored_at IS 'When the row was written.';

CREATE TABLE tidegate.blocklist (
    kind        text        NOT NULL CHECK (kind IN ('customer', 'card_fingerprint')),
    value       text        NOT NULL,
    merchant_id text        NOT NULL DEFAULT '*',
    note        text        NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz,
    PRIMARY KEY (value, kind, merchant_id)
);
COMMENT ON TABLE tidegate.blocklist IS 'Customers and cards whose payments are to be stopped.';
COMMENT ON COLUMN tidegate.blocklist.kind IS 'What value is: customer or card_fingerprint.';
COMMENT ON COLUMN tidegate.blocklist.value IS 'PERSONAL. The provider''s customer id, or the card''s fingerprint.';
COMMENT ON COLUMN tidegate.blocklist.merchant_id IS 'For which merchant; * for all.';
COMMENT ON COLUMN tidegate.blocklist.note IS 'Why, for people.';
COMMENT ON COLUMN tidegate.blocklist.created_at IS 'Since when.';
COMMENT ON COLUMN tidegate.blocklist.expires_at IS 'Until when; null for ever.';

CREATE TABLE tidegate.merchant_limits (
    merchant_id      text   NOT NULL DEFAULT '*',
    currency         text   NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    max_amount_cents bigint NOT NULL CHECK (max_amount_cents >= 0),
    PRIMARY KEY (merchant_id, currency)
);
COMMENT ON TABLE tidegate.merchant_limits IS 'The largest payment that passes without a person looking at it. A merchant''s own row goes before the one for all.';
COMMENT ON COLUMN tidegate.merchant_limits.merchant_id IS 'For which merchant; * for all.';
COMMENT ON COLUMN tidegate.merchant_limits.currency IS 'ISO 4217 code.';
COMMENT ON COLUMN tidegate.merchant_limits.max_amount_cents IS 'In the minor unit of currency (ISO 4217 exponent). A payment above it is to be reviewed.';

CREATE TABLE tidegate.decision_outbox (
    sequence   bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id   text        NOT NULL UNIQUE,
    payment_id text        NOT NULL,
    decision   bytea       NOT NULL,
    headers    jsonb       NOT NULL,
    stored_at  timestamptz NOT NULL DEFAULT now()
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
COMMENT ON TABLE tidegate.decision_outbox IS
    'Decisions that are stored and not yet published on payments.decisions; a row is deleted once its message is committed.';
COMMENT ON COLUMN tidegate.decision_outbox.sequence IS 'Order of publication. Has gaps.';
COMMENT ON COLUMN tidegate.decision_outbox.event_id IS 'The event decided on.';
COMMENT ON COLUMN tidegate.decision_outbox.payment_id IS 'Key of the message.';
COMMENT ON COLUMN tidegate.decision_outbox.decision IS 'PERSONAL (customer_id). The tidegate.decisions.v1.PaymentDecision, serialised.';
COMMENT ON COLUMN tidegate.decision_outbox.headers IS 'Headers of the message: receipt id, event id, trace context.';
COMMENT ON COLUMN tidegate.decision_outbox.stored_at IS 'When the row was written.';

CREATE TABLE tidegate.relay_progress (
    topic       text    NOT NULL,
    partition   integer NOT NULL,
    next_offset bigint  NOT NULL,
    PRIMARY KEY (topic, partition)
);
COMMENT ON TABLE tidegate.relay_progress IS
    'Up to where the outbox agrees with the topic: every message before next_offset has had its outbox row deleted.';
COMMENT ON COLUMN tidegate.relay_progress.topic IS 'Topic the relay publishes on.';
COMMENT ON COLUMN tidegate.relay_progress.partition IS 'Partition of the topic.';
COMMENT ON COLUMN tidegate.relay_progress.next_offset IS 'First offset that the relay has to look at after a crash.';

REVOKE ALL ON SCHEMA tidegate FROM PUBLIC;
GRANT USAGE ON SCHEMA tidegate TO tidegate_writer, tidegate_reader;

-- The writer appends. It can neither change nor remove an event, a decision or a quarantined failure.
GRANT SELECT, INSERT ON tidegate.payment_events, tidegate.decisions, tidegate.quarantine TO tidegate_writer;
GRANT SELECT ON tidegate.blocklist, tidegate.merchant_limits TO tidegate_writer;
GRANT SELECT, INSERT, DELETE ON tidegate.decision_outbox TO tidegate_writer;
GRANT SELECT, INSERT, UPDATE ON tidegate.relay_progress TO tidegate_writer;

GRANT SELECT ON ALL TABLES IN SCHEMA tidegate TO tidegate_reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA tidegate GRANT SELECT ON TABLES TO tidegate_reader;
