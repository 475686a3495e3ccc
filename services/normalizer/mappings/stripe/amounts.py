"""Where Stripe's minor units differ from ISO 4217's, and which amounts it allows.

Source: docs.stripe.com/currencies, read 2026-11.

- MGA is on Stripe's list of zero-decimal currencies; ISO 4217 gives it two digits.
- ISK and UGX have no minor unit in ISO 4217. Stripe counts both in hundredths "for backwards compatibility", the last
  two digits always 00: 5 UGX are 500. The page has UGX on the list of zero-decimal currencies too, which would make the
  same 500 five hundred shillings. Its table of special cases is the one that holds for charges: Stripe's API refuses
  UGX amounts that 100 does not divide ("has become effectively zero-decimal and charged amounts must be evenly
  divisible by 100"), and libraries that believed the list charged a hundredth.
- BHD, JOD, KWD, OMR and TND have three digits, the last always 0. An amount whose last digit is not 0 could be taken as
  it is, but it is not Stripe's: most likely a sender wrote hundredths, and a tenth of the true amount would go through
  unseen. It is put aside for a person to see, as a fraction of an ISK is.
- HUF and TWD are counted in whole units on payouts only, and payouts are not payments: no exception here.
"""

from collections.abc import Mapping
from typing import Final

from services.normalizer.money import ProviderUnit

UNITS: Final[Mapping[str, ProviderUnit]] = {
    "MGA": ProviderUnit(exponent=0),
    "ISK": ProviderUnit(exponent=2, step=100),
    "UGX": ProviderUnit(exponent=2, step=100),
    "BHD": ProviderUnit(step=10),
    "JOD": ProviderUnit(step=10),
    "KWD": ProviderUnit(step=10),
    "OMR": ProviderUnit(step=10),
    "TND": ProviderUnit(step=10),
}
