"""Reads a history's declines: what was known at each, when it was tried again at random, and what came of that."""

import math
import tempfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

from mlops.features.catalog import Entity
from mlops.features.facts import entity_keys, microseconds, payment_fact
from mlops.features.payment import event_features
from mlops.features.state import State, empty
from mlops.features.transform import apply, features
from mlops.registry.retry.inputs import Situation, situation
from mlops.training.history import HISTORY_FILE, events

DECISIONS_FILE: Final = Path("labels/decisions.parquet")
_ENTITIES: Final = (Entity.CUSTOMER, Entity.CARD)
_ATTEMPTS: Final = ("payment.succeeded", "payment.failed")
_TRIED: Final = ("succeeded", "failed")
_STOP: Final = "stop"
_MOST_ATTEMPTS: Final = 7
"""Where the logging policy stops whatever the rules allow: what another attempt would be worth is not known."""
_SECOND_US: Final = 1_000_000


class Declined(NamedTuple):
    """A declined attempt as it was known when its event arrived."""

    event: UnifiedPaymentEvent
    states: Mapping[Entity, State]
    """Of its customer and its card, the attempt included."""
    attempts_s: tuple[int, ...]
    """Attempts on the card for the amount, ascending, this one the last; seconds since 1970."""

    def situation(self) -> Situation:
        """What the model is told of it."""
        at_us = microseconds(self.event.provider_created_at)
        stored = {name: value for state in self.states.values() for name, value in features(state, at_us).items()}
        return situation(self.event, self.attempts_s, event_features(self.event), stored)


@dataclass(frozen=True, slots=True)
class Decision:
    """A decline after which the logging policy chose at random when to try again, and what came of it."""

    payment_id: str
    customer_id: str
    situation: Situation
    retry_s: int | None
    """When it was tried again; None where it was not, or where that is not known."""
    succeeded: bool
    propensity: float
    """With which chance the policy chose this very hour, or to stop."""
    truth: float
    """The true chance of the attempt: for judging alone."""
    final: bool
    """Whether a rule forbade another attempt."""


def decisions(folder: Path) -> list[Decision]:
    """Every decision of a history, in order of time.

    What came of an attempt is not known where it lies beyond the history, or where the customer overtook it with
    another card: those count as not tried.
    """
    decided = _decisions(folder).sort_by("decided_at")
    known = {
        each.event.provider_object_id: each.situation()
        for each in declines(folder, decided.column("charge_id").to_pylist())
    }
    seconds = pc.divide(decided.column("retry_at").cast(pa.int64()), _SECOND_US).to_pylist()
    return [
        Decision(
            payment_id=row["payment_id"],
            customer_id=row["customer_id"],
            situation=known[row["charge_id"]],
            retry_s=retry_s if row["outcome"] in _TRIED else None,
            succeeded=row["outcome"] == "succeeded",
            propensity=row["propensity_hour"],
            truth=math.nan if row["success_probability"] is None else row["success_probability"],
            final=row["bucket"] == _STOP and row["propensity"] == 1.0 and row["attempt_number"] < _MOST_ATTEMPTS,
        )
        for row, retry_s in zip(decided.to_pylist(), seconds, strict=True)
        if row["charge_id"] in known
    ]


def first_declines(folder: Path) -> dict[str, str]:
    """The first declined charge of every payment that was decided on, with the payment."""
    first = _decisions(folder).filter(pc.field("attempt_number") == 1)
    return dict(zip(first.column("charge_id").to_pylist(), first.column("payment_id").to_pylist(), strict=True))


def declines(folder: Path, charges: Collection[str]) -> Iterator[Declined]:
    """These declined charges, each as soon as its event arrived; once, whatever is told of it again."""
    wanted = set(charges)
    states: dict[tuple[Entity, str], State] = {}
    attempts: dict[tuple[str, str, int, str], set[int]] = {}
    for event in _of_their_customers(folder, wanted):
        fact = payment_fact(event)
        keys = {entity: (entity, key) for entity, key in entity_keys(fact).items() if entity in _ENTITIES}
        for entity, key in keys.items():
            states[key] = apply(states.get(key) or empty(entity), fact)
        if event.event_type not in _ATTEMPTS:
            continue
        whose = (event.merchant_id, event.card_fingerprint, event.amount_cents, event.currency)
        times = attempts.setdefault(whose, set())
        times.add(event.provider_created_at.seconds)
        if event.provider_object_id in wanted and event.event_type == "payment.failed":
            wanted.remove(event.provider_object_id)
            known = tuple(sorted(at for at in times if at <= event.provider_created_at.seconds))
            yield Declined(event, {entity: states[key] for entity, key in keys.items()}, known)


def _decisions(folder: Path) -> pa.Table:
    file = folder / DECISIONS_FILE
    if not file.is_file():
        raise ValueError(f"{file} does not exist: a retry model is learned from retries that were decided at random")
    return pq.read_table(file)


def _of_their_customers(folder: Path, charges: Collection[str]) -> Iterator[UnifiedPaymentEvent]:
    """All events of the customers and cards of these charges, in order of arrival: theirs are the states needed."""
    history = pq.read_table(folder / HISTORY_FILE)
    theirs = history.filter(pc.is_in(history.column("provider_object_id"), value_set=pa.array(sorted(charges))))
    mine = [_among(history, theirs, name) for name in ("customer_id", "card_fingerprint")]
    with tempfile.TemporaryDirectory() as kept:
        pq.write_table(history.filter(pc.or_(*mine)), Path(kept) / HISTORY_FILE)
        yield from events(Path(kept))


def _among(history: pa.Table, theirs: pa.Table, name: str) -> pa.ChunkedArray:
    return pc.is_in(history.column(name), value_set=pc.drop_null(pc.unique(theirs.column(name))))
