"""What a card's expiry date says."""

from datetime import UTC, datetime
from functools import lru_cache

from services.inference.case import Case

_DAY_S = 24 * 3600
_MONTHS = 12


def expired(case: Case, days_later: int = 0) -> bool:
    """Whether the card's last month is over that many days after the attempt; false where the date is not known."""
    year, month = case.payment.card_exp_year, case.payment.card_exp_month
    return bool(year and month) and case.occurred_s + days_later * _DAY_S >= _end_of(year, month)


@lru_cache(maxsize=4096)
def _end_of(year: int, month: int) -> int:
    """The first second after a month, UTC."""
    following = datetime(year + month // _MONTHS, month % _MONTHS + 1, 1, tzinfo=UTC)
    return int(following.timestamp())
