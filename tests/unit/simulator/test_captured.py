"""Captured bodies are posted as they were, under fresh ids when asked."""

import json
from pathlib import Path
from random import Random

import pytest

from services.simulator.captured import captured_event, read_folder
from services.simulator.events import Expected
from services.simulator.ids import StripeIds

RAW = (
    b'{"id":"evt_0","type":"charge.succeeded",  "account":"acct_1",'
    b'"data":{"object":{"amount":1500,"currency":"jpy","n":"\xc3\xbc"}}}'
)


def ids() -> StripeIds:
    return StripeIds(Random(1))  # noqa: S311 - seeded


def test_without_fresh_ids_not_a_byte_is_changed() -> None:
    event = captured_event("a.json", RAW, None)
    assert event.body == RAW
    assert (event.event_id, event.amount, event.currency, event.file) == ("evt_0", 1500, "jpy", "a.json")
    assert event.expected is Expected.ACCOUNTED


def test_a_fresh_id_changes_nothing_else() -> None:
    event = captured_event("a.json", RAW, ids())
    changed = json.loads(event.body)
    assert changed["id"] == event.event_id != "evt_0"
    assert event.event_id.startswith("evt_")
    assert {**changed, "id": "evt_0"} == json.loads(RAW)


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[1]", b'"text"', b'{"type": "x"}', b'{"id": "evt_1", "data": []}', b"\xff"]
)
def test_what_is_no_event_is_still_posted(raw: bytes) -> None:
    event = captured_event("odd.json", raw, ids())
    assert event.body == raw or json.loads(event.body)["data"] == []
    assert event.amount is None


def test_two_copies_of_one_body_become_two_events(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for name in ("a.json", "b/a.json"):
        (tmp_path / name).write_bytes(RAW)
    events = list(read_folder(tmp_path, ids()))
    assert [event.file for event in events] == ["a.json", "b/a.json"]
    assert len({event.event_id for event in events}) == 2


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no"):
        list(read_folder(tmp_path, None))
