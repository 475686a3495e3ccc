"""Makes ids in Stripe's form from a seeded source."""

import string
from random import Random

_ALPHABET = string.ascii_letters + string.digits
# Lengths after the prefix as Stripe's ids have them today.
_LENGTHS = {"cus": 14, "acct": 16, "req": 14, "prod": 14}
_DEFAULT_LENGTH = 24


class StripeIds:
    """A stream of ids; the same seed gives the same ids."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng

    def new(self, prefix: str) -> str:
        """A fresh id such as "evt_1Q…"; unique among those of the same seed for every practical purpose."""
        return f"{prefix}_{self.token(_LENGTHS.get(prefix, _DEFAULT_LENGTH))}"

    def token(self, length: int) -> str:
        """Letters and digits."""
        return "".join(self._rng.choices(_ALPHABET, k=length))

    def key(self) -> str:
        """An idempotency key in the form Stripe's libraries make: a version 4 UUID."""
        digits = f"{self._rng.getrandbits(128):032x}"
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
