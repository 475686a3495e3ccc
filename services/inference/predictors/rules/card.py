"""What a card's expiry date says."""

from datetime import UTC, datetime

from services.inference.case import Case

_DAY_S = 24 * 3600
_MONTHS = 12


def expired_on(case: Case, days_later: int = 0) -> bool:
    """Whether the card's last month is over that many days after the attempt; false where the date is not known."""
    payment = case.payment
    if not (payment.card_exp_year and payment.card_exp_month):
        return False
    then = datetime.fromtimestamp(case.occurred_s + days_later * _DAY_S, UTC)
    return (then.year - payment.card_exp_year) * _MONTHS + then.month - payment.card_exp_month > 0
