"""The wire format and the contract hold on every write and read."""

import pytest
from google.protobuf.empty_pb2 import Empty
from hypothesis import given
from hypothesis import strategies as st
from tidegate.ingress.v1.violation_pb2 import Violation
from tidegate.payments.v1.validation_failure_pb2 import MessageOrigin

from services.runtime.errors import ContractViolationError, DeployStepMissingError, InvalidMessageError
from services.runtime.serde import TopicSerde, encode_message_index


class Ids:
    """A registry with one subject whose versions have ids 7 and 9; counts its questions."""

    def __init__(self) -> None:
        self.asked = 0

    def latest(self, subject: str) -> int:
        if subject != "t-value":
            raise DeployStepMissingError(subject)
        return 9

    def belongs(self, schema_id: int, subject: str) -> bool:
        self.asked += 1
        return subject == "t-value" and schema_id in {7, 9}


VALID = Violation(rule_id="string.pattern", message="must be an id")


def test_a_written_value_is_magic_id_index_and_bytes() -> None:
    value = TopicSerde("t", Violation, Ids()).encode(VALID)
    assert value == b"\x00\x00\x00\x00\x09\x00" + VALID.SerializeToString()


def test_what_was_written_is_read_without_asking_the_registry() -> None:
    ids = Ids()
    serde = TopicSerde("t", Violation, ids)
    assert serde.decode(serde.encode(VALID), partition=0, offset=0) == VALID
    assert ids.asked == 0


def test_another_version_of_the_subject_is_asked_for_once() -> None:
    ids = Ids()
    serde = TopicSerde("t", Violation, ids)
    older = b"\x00\x00\x00\x00\x07\x00" + VALID.SerializeToString()
    for _ in range(3):
        assert serde.decode(older, partition=0, offset=0) == VALID
    assert ids.asked == 1


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (None, "wire.empty"),
        (b"", "wire.unframed"),
        (b"\x00\x00", "wire.unframed"),
        (b"{}", "wire.unframed"),
        (b"\x01\x00\x00\x00\x09\x00", "wire.unframed"),
        (b"\x00\x00\x00\x00\x05\x00", "wire.schema_unknown"),
        (b"\x00\x00\x00\x00\x09\x02\x02", "wire.message_index"),
        (b"\x00\x00\x00\x00\x09\x00\xff\xff\xff", "wire.undecodable"),
        (b"\x00\x00\x00\x00\x09\x00", "string.min_len"),
    ],
)
def test_poison_is_named_with_its_place(value: bytes | None, rule: str) -> None:
    with pytest.raises(InvalidMessageError) as found:
        TopicSerde("t", Violation, Ids()).decode(value, partition=3, offset=41)
    assert rule in found.value.rule_ids
    assert "t[3]@41" in str(found.value)


@given(st.binary(max_size=64))
def test_no_bytes_are_read_as_anything_but_a_valid_message_or_poison(value: bytes) -> None:
    serde = TopicSerde("t", Violation, Ids())
    try:
        message = serde.decode(value, partition=0, offset=0)
    except InvalidMessageError:
        return
    assert serde.decode(serde.encode(message), partition=0, offset=0) == message


def test_an_invalid_message_is_never_written_and_its_values_are_not_told() -> None:
    with pytest.raises(ContractViolationError) as found:
        TopicSerde("t", Violation, Ids()).encode(Violation(rule_id="x" * 200, message="y"))
    assert "rule_id" in str(found.value)
    assert "xxx" not in str(found.value)


def test_a_subject_that_was_never_registered_stops_the_start() -> None:
    with pytest.raises(DeployStepMissingError):
        TopicSerde("unregistered", Violation, Ids())


def test_a_message_further_down_its_file_is_framed_with_its_index() -> None:
    serde = TopicSerde("t", MessageOrigin, Ids())
    value = serde.encode(MessageOrigin(topic="a", partition=0, offset=0))
    assert value[5:7] == b"\x02\x02"  # one index, the second message
    assert serde.decode(value, partition=0, offset=0).topic == "a"


def test_a_message_without_rules_passes() -> None:
    serde = TopicSerde("t", Empty, Ids())
    assert serde.decode(serde.encode(Empty()), partition=0, offset=0) == Empty()


def test_message_indexes_are_zigzag_varints() -> None:
    assert encode_message_index([0]) == b"\x00"
    assert encode_message_index([1]) == b"\x02\x02"
    assert encode_message_index([0, 100]) == b"\x04\x00\xc8\x01"
