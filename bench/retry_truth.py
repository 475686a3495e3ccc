"""What came, or would have come, of trying the failed payments of a world again: the simulator's truth by payment."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Final, cast

from tidegate.payments.v1.unified_payment_event_pb2 import DeclineClass, UnifiedPaymentEvent

from mlops.training.retry.decisions import Declined, declines, first_declines
from services.simulator.adapters.parquet import read_curves
from services.simulator.behaviour.assumptions import Assumptions, load_assumptions
from services.simulator.behaviour.curves import Curve, failing_cause
from services.simulator.behaviour.declining import advice_code, decline_for
from services.simulator.behaviour.draws import Draws
from services.simulator.behaviour.history import DECLINE_CLASSES
from services.simulator.behaviour.issuing import IssuerProcess, issuer_processes
from services.simulator.behaviour.judging import by_retries_alone
from services.simulator.behaviour.year import Plan
from services.simulator.world import Card

_DELIVERY_S = 2
_SHOWN: Final = ("network_decline_code", "network_advice_code", "provider_advice_code")
_JUDGING = 77  # a kind of entity for Draws, beside the simulator's own


@dataclass(frozen=True, slots=True)
class Failed:
    """A subscription's payment whose first try was declined, as it was known when that was told of."""

    payment_id: str
    declined: Declined
    curve: Curve
    shows_codes: bool
    """Whether the merchant's API version shows network and advice codes."""


@dataclass(frozen=True, slots=True)
class World:
    """A world's failed payments, and what its issuers say when they decline."""

    seed: int
    failed: list[Failed]
    issuers: Mapping[tuple[str, str], IssuerProcess]
    assumptions: Assumptions

    @classmethod
    def of(cls, folder: Path) -> "World":
        """Read a world's folder, and follow its customers' features up to each failure."""
        origin = json.loads((folder / "world.json").read_text())
        plan = Plan(origin["seed"], origin["customers"], date.fromisoformat(origin["first_day"]), origin["days"])
        known = load_assumptions()
        by_name = issuer_processes(plan.seed, known.issuer, plan.period.start, plan.period.end)
        issuers = {(each.issuer.brand, each.issuer.country): each for each in by_name.values()}
        return cls(plan.seed, list(_failed(folder)), issuers, known)

    def declined(self, payment: Failed, at_s: int, declined_s: Sequence[int], draw: int) -> UnifiedPaymentEvent:
        """The event of an attempt at a moment that is declined, as its merchant would hear of it."""
        number = int.from_bytes(payment.payment_id.encode()[-6:], "big")
        draws = Draws(self.seed, _JUDGING, number, draw, at_s)
        factors = payment.curve.factors(at_s, declined_s)
        cause = None
        while cause is None:
            cause = failing_cause(payment.curve, factors, at_s, draws)
        issuer = self.issuers[payment.declined.event.card_brand, payment.declined.event.card_country]
        card = cast("Card", SimpleNamespace(issuer=issuer.issuer))
        codes = self.assumptions.codes
        decline = decline_for(cause, card, issuer.vagueness, codes, draws)
        advice = advice_code(decline, cause, card, codes, draws)
        code = decline.outcome_reason or decline.code
        event = UnifiedPaymentEvent()
        event.CopyFrom(payment.declined.event)
        event.event_id = f"{payment.declined.event.event_id}.{draw}.{at_s}"
        event.provider_object_id = f"{payment.declined.event.provider_object_id}.{draw}.{at_s}"
        event.provider_created_at.seconds, event.processed_at.seconds = at_s, at_s + _DELIVERY_S
        event.failure_code = code
        event.decline_class = DeclineClass.Value(f"DECLINE_CLASS_{DECLINE_CLASSES[code].upper()}")  # type: ignore[assignment]
        for name in _SHOWN:
            event.ClearField(name)
        if payment.shows_codes:
            codes_shown = (decline.network_code(issuer.issuer.brand), advice, decline.advice)
            for name, shown in zip(_SHOWN, codes_shown, strict=True):
                if shown:
                    setattr(event, name, shown)
        return event


def _failed(folder: Path) -> Iterator[Failed]:
    payment_of = first_declines(folder)
    curves = dict(read_curves(folder / "labels/curves.parquet"))
    known = list(declines(folder, payment_of))
    shows = {each.event.merchant_id for each in known if each.event.network_decline_code}
    for each in known:
        payment = payment_of[each.event.provider_object_id]
        yield Failed(payment, each, by_retries_alone(curves[payment]), each.event.merchant_id in shows)
