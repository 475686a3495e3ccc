"""Decides on a past by what serves now, in minutes: `python -m services.inference.replay.answers`.

For a lake that needs a past: a history's events are answered at their own moments, by the code that serves.
Nothing is stored or published here. Two files hold messages, each after its length, in the order of arrival:
`decisions.binpb` (PaymentDecision; `python -m services.orchestrator.load_decisions` stores it) and
`predictions.binpb` (PredictionLogged; `python -m services.inference.load_predictions` publishes it).
"""

import argparse
import io
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from google.protobuf.proto import serialize_length_prefixed  # type: ignore[import-not-found]  # newer than its stubs
from tidegate.decisions.v1.payment_decision_pb2 import PaymentDecision
from tidegate.inference.v1.assessment_service_pb2 import Assessment
from tidegate.inference.v1.prediction_logged_pb2 import PredictionLogged
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

from mlops.features.facts import microseconds
from services.inference.adapters.mlflow_registry import MlflowRegistry
from services.inference.journal import Told, logged
from services.inference.replay import history
from services.inference.replay.past import Asked, Past, Window, question_name
from services.inference.replay.sides import RULES, SideError, Sides
from services.inference.serving import Serving
from services.inference.settings import InferenceSettings
from services.inference.tables import DECLINE_RULES, NETWORK_RULES, RuleTableError, read_rule_tables
from services.runtime.errors import NeighbourUnavailableError
from workflows.payment_event.decision import decide

DECISIONS_FILE: Final = "decisions.binpb"
PREDICTIONS_FILE: Final = "predictions.binpb"
FAILED: Final = 2
_MLFLOW_TIMEOUT_SECONDS: Final = 20.0
_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ALWAYS: Final = Window(0, 1 << 62)
_TELL_EVERY: Final = 20_000
# No model answers it, so that what is beside it is every champion there is.
_NO_MODELS_QUESTION: Final = "recovery"


class Answered(NamedTuple):
    """One event's decision, and what the log of predictions gets of it."""

    decision: PaymentDecision
    predictions: Sequence[PredictionLogged]


def answered(events: Iterator[UnifiedPaymentEvent], serving: Serving, window: Window = _ALWAYS) -> Iterator[Answered]:
    """The decision on each event of the window, once; a fraud score is known to the features of those that follow."""
    waiting: deque[UnifiedPaymentEvent] = deque()
    scored: deque[PaymentDecision] = deque()
    decided: set[str] = set()

    def told() -> Iterator[UnifiedPaymentEvent | PaymentDecision]:
        for event in events:
            while scored:
                yield scored.popleft()
            if event.event_id not in decided:
                decided.add(event.event_id)
                if window.has(microseconds(event.processed_at)):
                    waiting.append(event)
            yield event

    for asked in Past(window, serving.looks_up).questions(told()):
        while waiting and waiting[0].event_id != asked.event.event_id:
            yield _unasked(waiting.popleft())
        waiting.popleft()
        answer = _answer(asked, serving)
        if answer.decision.HasField("fraud"):
            scored.append(answer.decision)
        yield answer
    yield from map(_unasked, waiting)


def _unasked(event: UnifiedPaymentEvent) -> Answered:
    return Answered(_dated(decide(event, (), Assessment(), ()), event), ())


def _answer(asked: Asked, serving: Serving) -> Answered:
    assessment = serving.handler.assess([asked.item], asked.at, [asked.features]).assessments[0]
    decision = _dated(decide(asked.event, (), assessment, ()), asked.event)
    logs = [
        message
        for question in map(question_name, asked.item.questions)
        if question != _NO_MODELS_QUESTION and assessment.HasField(question)
        for message in logged(
            Told(question, serving, asked.item.payment, asked.features, getattr(assessment, question))
        )
    ]
    return Answered(decision, logs)


def _dated(decision: PaymentDecision, event: UnifiedPaymentEvent) -> PaymentDecision:
    decision.decided_at.CopyFrom(event.processed_at)
    return decision


def main(argv: Sequence[str] | None = None) -> int:
    """Write both files; 2 where it cannot be done."""
    root = argparse.ArgumentParser(prog="python -m services.inference.replay.answers", description=__doc__)
    root.add_argument("--history", type=Path, required=True, metavar="FOLDER", help="a history's folder")
    root.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where both files are written")
    root.add_argument(
        "--since", type=_moment, default=_BEGINNING, help="decide on arrivals from here, ISO 8601, UTC (default: all)"
    )
    options = root.parse_args(argv)
    window = Window(_microseconds(options.since), _ALWAYS.until_us)
    try:
        serving = _serving()
        count = _write(answered(history.events(options.history), serving, window), options.out)
    except (SideError, history.HistoryError, RuleTableError, NeighbourUnavailableError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    sys.stdout.write(f"{count:,} decisions in {options.out / DECISIONS_FILE}\n")
    return 0


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _microseconds(moment: datetime) -> int:
    return (moment - _BEGINNING) // timedelta(microseconds=1)


def _serving() -> Serving:
    """All champions, where TIDEGATE_MLFLOW_URL names a registry; else rules."""
    settings, versions = InferenceSettings(), None
    if settings.mlflow_url is not None:
        versions = MlflowRegistry(
            settings.mlflow_url, auth=settings.mlflow_credentials, timeout_seconds=_MLFLOW_TIMEOUT_SECONDS
        )
    try:
        tables = read_rule_tables(NETWORK_RULES, DECLINE_RULES)
        return Sides(_NO_MODELS_QUESTION, versions).side(RULES, tables).serving
    finally:
        if versions is not None:
            versions.close()


def _write(answers: Iterator[Answered], folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    with (folder / DECISIONS_FILE).open("wb") as decisions, (folder / PREDICTIONS_FILE).open("wb") as predictions:
        for count, answer in enumerate(answers, 1):
            _put(decisions, answer.decision)
            for message in answer.predictions:
                _put(predictions, message)
            if count % _TELL_EVERY == 0:
                sys.stderr.write(f"\r{count:,} decided")
                sys.stderr.flush()
    sys.stderr.write("\n")
    return count


def _put(file: io.BufferedWriter, message: PaymentDecision | PredictionLogged) -> None:
    serialize_length_prefixed(message, file)


if __name__ == "__main__":
    sys.exit(main())
