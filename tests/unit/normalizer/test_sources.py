"""The table of topics agrees with the topics as data, and with the mappings."""

from pathlib import Path

from codegen.topics import load_topics
from services.gateway.providers.stripe import CONTRACTS
from services.normalizer.mappings.stripe import MAPPINGS
from services.normalizer.sources import GROUP, TOPICS
from tests.fakes import stripe_webhooks
from tests.unit.normalizer.tables import event_of, failure_of

DATA = load_topics(Path("proto/topics"))


def test_the_inputs_are_the_topics_that_name_the_normalizer_as_consumer() -> None:
    named = {topic.name: topic.message for topic in DATA.values() if GROUP in topic.consumers}
    assert {topic: message.DESCRIPTOR.full_name for topic, message in TOPICS.inputs.items()} == named


def test_the_outputs_are_the_topics_that_name_the_normalizer_as_producer() -> None:
    assert {TOPICS.normalized, TOPICS.failures} == {topic.name for topic in DATA.values() if topic.producer == GROUP}


def test_the_keys_of_the_outputs_are_those_that_the_topics_state() -> None:
    assert (DATA[TOPICS.normalized].key, DATA[TOPICS.failures].key) == ("merchant_id", "event_id")


def test_every_input_has_a_mapping() -> None:
    assert {mapping.webhook for mapping in MAPPINGS} == set(TOPICS.inputs.values())


def test_every_event_type_of_a_contract_has_a_standing() -> None:
    """A type that the gateway lets through and no table knows would fill the DLQ."""
    for contract in CONTRACTS:
        make = getattr(stripe_webhooks, f"{contract.object_type}_webhook")
        for event_type in contract.event_types:
            event_of(make(event_type, status="succeeded" if contract.object_type != "dispute" else "won"))


def test_an_event_type_of_no_contract_is_put_aside() -> None:
    failure = failure_of(stripe_webhooks.charge_webhook("charge.invented"))
    assert failure.violations[0].field_path == "type"
