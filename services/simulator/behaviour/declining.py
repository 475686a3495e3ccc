"""Which decline code an issuer gives for a cause, and what Mastercard's advice says with it."""

from collections.abc import Mapping
from typing import Final

from services.simulator.behaviour.assumptions import Codes
from services.simulator.behaviour.curves import LASTING
from services.simulator.behaviour.draws import Draws
from services.simulator.tables.declines import DECLINES, NEVER, Decline
from services.simulator.world import Card

# Stripe's own code comes first where two rows share a name.
DECLINES_BY_CODE: Final[Mapping[str, Decline]] = {decline.code: decline for decline in reversed(DECLINES)}
_NEVER_ADVICE: Final = "03"


def decline_for(cause: str, card: Card, vagueness: float, codes: Codes, draws: Draws) -> Decline:
    """A decline that this card's issuer gives for the cause."""
    hidden = cause == "funds" and draws.chance(vagueness)
    return drawn(codes.funds_hidden if hidden else codes.of(cause), card, draws)


def drawn(weights: Mapping[str, float], card: Card, draws: Draws) -> Decline:
    """A decline by weight, among those that the card's brand gives."""
    brand = card.issuer.brand
    rows = {code: weight for code, weight in weights.items() if _fits(DECLINES_BY_CODE[code], brand)}
    return DECLINES_BY_CODE[draws.pick(rows or {"do_not_try_again": 1.0})]


def advice_code(decline: Decline, cause: str, card: Card, codes: Codes, draws: Draws) -> str | None:
    """Mastercard's merchant advice code for a decline of this cause; None for other brands."""
    if card.issuer.brand != "mastercard" or not decline.advice_codes:
        return None
    if decline.advice != NEVER and _NEVER_ADVICE in decline.advice_codes:
        lasting = cause in LASTING and draws.chance(codes.never_advised)
        return _NEVER_ADVICE if lasting else decline.advice_codes[0]
    return decline.advice_codes[draws.whole(0, len(decline.advice_codes) - 1)]


def _fits(decline: Decline, brand: str) -> bool:
    return not decline.brands or brand in decline.brands
