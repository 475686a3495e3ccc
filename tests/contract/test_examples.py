"""Golden messages: each is decoded strictly, valid and canonical; each topic has some; none is orphaned."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from tidegate.decisions.v1.payment_decision_pb2 import PaymentDecision
from tidegate.inference.v1.prediction_logged_pb2 import PredictionLogged
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent
from tidegate.payments.v1.validation_failure_pb2 import ValidationFailure

from codegen.image import PROTO
from codegen.topics import load_topics
from services.gateway.handler import TOPICS as GATEWAY_TOPICS
from services.normalizer.sources import TOPICS as NORMALIZER_TOPICS
from services.runtime.contract import broken_rules
from services.runtime.errors import Position
from services.runtime.serde import TopicSerde
from tests.fakes.schema_ids import FixedSchemaIds
from tests.unit.normalizer.tables import NORMALIZER

TOPICS = load_topics(PROTO / "topics")
MESSAGES: Mapping[str, type[Message]] = {
    **GATEWAY_TOPICS,
    **NORMALIZER_TOPICS.inputs,
    NORMALIZER_TOPICS.normalized: UnifiedPaymentEvent,
    NORMALIZER_TOPICS.failures: ValidationFailure,
    "payments.decisions": PaymentDecision,
    "inference.predictions": PredictionLogged,
}
FOLDER = PROTO / "examples"
EXAMPLES = {f"{path.parent.name}/{path.stem}": path for path in sorted(FOLDER.rglob("*")) if path.is_file()}
# By the name that a webhook's example shares with what the normaliser makes of it.
OUTPUTS = {
    path.stem: path
    for topic in (NORMALIZER_TOPICS.normalized, NORMALIZER_TOPICS.failures)
    for path in (FOLDER / topic).glob("*.json")
}


def read(path: Path) -> Message:
    return json_format.Parse(path.read_text(), MESSAGES[path.parent.name]())


def test_every_topic_has_examples_and_every_folder_is_a_topic() -> None:
    assert {path.parent.name for path in EXAMPLES.values()} == TOPICS.keys()
    assert {folder.name for folder in FOLDER.iterdir()} == TOPICS.keys()


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_lies_in_its_topics_folder_as_json(name: str) -> None:
    path = EXAMPLES[name]
    assert path.parent.parent == FOLDER
    assert path.suffix == ".json"


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_keeps_every_rule_of_its_contract(name: str) -> None:
    message = read(EXAMPLES[name])
    assert message.DESCRIPTOR.full_name == TOPICS[EXAMPLES[name].parent.name].message
    assert broken_rules(message) == ()


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_canonical_protobuf_json(name: str) -> None:
    assert json.loads(EXAMPLES[name].read_text()) == json_format.MessageToDict(read(EXAMPLES[name]))


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_comes_back_from_the_wire_as_it_was(name: str) -> None:
    message = read(EXAMPLES[name])
    serde = TopicSerde(EXAMPLES[name].parent.name, type(message), FixedSchemaIds())
    assert serde.decode(serde.encode(message), partition=0, offset=0) == message


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name.startswith("webhooks.")])
def test_a_webhooks_receipt_vouches_for_the_body_beside_it(name: str) -> None:
    message = read(EXAMPLES[name])
    body, receipt = message.raw_body, message.receipt  # type: ignore[attr-defined]  # every webhook message has both
    assert (receipt.body_sha256, receipt.body_bytes) == (hashlib.sha256(body).digest(), len(body))


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name.split("/")[0] in NORMALIZER_TOPICS.inputs])
def test_a_webhook_becomes_the_example_of_its_name(name: str) -> None:
    golden = read(OUTPUTS[EXAMPLES[name].stem])
    topic = EXAMPLES[name].parent.name
    offset = golden.origin.offset if isinstance(golden, ValidationFailure) else 0
    now = golden.failed_at if isinstance(golden, ValidationFailure) else golden.processed_at  # type: ignore[attr-defined]
    assert NORMALIZER.normalize(read(EXAMPLES[name]), Position(topic, 0, offset), now) == golden


def test_every_output_of_the_normalizer_but_the_unreadable_one_has_its_webhook() -> None:
    webhooks = {path.stem for path in EXAMPLES.values() if path.parent.name in NORMALIZER_TOPICS.inputs}
    assert OUTPUTS.keys() - webhooks == {"unreadable"}


def test_every_decision_is_on_an_event_that_has_an_example() -> None:
    events = [read(path) for path in (FOLDER / NORMALIZER_TOPICS.normalized).glob("*.json")]
    decisions = [read(path) for path in (FOLDER / "payments.decisions").glob("*.json")]
    known = {(e.event_id, e.payment_id, e.receipt_id) for e in events}  # type: ignore[attr-defined]
    assert {(d.event_id, d.payment_id, d.receipt_id) for d in decisions} <= known  # type: ignore[attr-defined]
