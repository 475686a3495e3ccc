"""A past is decided event by event, each once, at its own moment, and what was decided can be read back."""

from datetime import UTC
from pathlib import Path

import pytest
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

from services.inference.load_predictions import messages as predictions
from services.inference.replay import history as past
from services.inference.replay.answers import DECISIONS_FILE, PREDICTIONS_FILE, main
from services.orchestrator.load_decisions import messages as decisions
from services.simulator.adapters import parquet
from services.simulator.behaviour.outputs import write_history
from tests.unit.simulator.behaviour.worlds import world


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("world")
    write_history(world(customers=60, days=40), made, parquet.write_table)
    return made


def test_every_event_of_a_past_is_decided_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIDEGATE_MLFLOW_URL", raising=False)
    assert main(["--history", str(folder), "--out", str(folder / "answers")]) == 0
    made = list(decisions(folder / "answers" / DECISIONS_FILE))
    events: list[UnifiedPaymentEvent] = list(past.events(folder))
    assert [each.event_id for each in made] == list(dict.fromkeys(event.event_id for event in events))
    arrived = {event.event_id: event.processed_at for event in events}
    assert all(each.decided_at == arrived[each.event_id] for each in made)
    failed = [each for each in made if each.event_type == "payment.failed"]
    assert failed
    assert all(each.HasField("retry") and each.HasField("recovery") for each in failed)
    logs = list(predictions(folder / "answers" / PREDICTIONS_FILE))
    assert {each.event_id for each in failed} <= {log.event_id for log in logs}
    assert all(log.fallback for log in logs)  # no model was named: rules answered, and say so


def test_events_before_a_moment_only_make_features(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIDEGATE_MLFLOW_URL", raising=False)
    events: list[UnifiedPaymentEvent] = list(past.events(folder))
    since = events[len(events) // 2].processed_at.ToDatetime(UTC)
    out = folder / "late"
    assert main(["--history", str(folder), "--out", str(out), "--since", since.isoformat()]) == 0
    late = [event.event_id for event in events if event.processed_at.ToDatetime(UTC) >= since]
    assert [each.event_id for each in decisions(out / DECISIONS_FILE)] == list(dict.fromkeys(late))
    assert {log.event_id for log in predictions(out / PREDICTIONS_FILE)} <= set(late)
