"""Seeded randomness: one source for each entity, so that what happens to one does not depend on the order of others."""

from collections.abc import Mapping
from math import log
from statistics import NormalDist
from typing import Final

import numpy as np

_ALPHABET: Final = np.frombuffer(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", dtype=np.uint8)
_AT_ONCE: Final = 128
_LETTERS_AT_ONCE: Final = 2048
_NORMAL: Final = NormalDist()
_TINY: Final = 1e-12
_ID_LENGTHS: Final = {"cus": 14, "acct": 16, "req": 14}
_ID_LENGTH: Final = 24

# Kinds of entities: the second word of a seed.
MERCHANT, ISSUER, CUSTOMER, ATTACK, TAKEOVER, EVENTS = range(6)


class Draws:
    """Draws of one entity. Fetches numbers in bulk, since a single draw from numpy costs more than its use here."""

    def __init__(self, seed: int, *entity: int) -> None:
        self._generator = np.random.Generator(np.random.SFC64(np.random.SeedSequence((seed, *entity))))
        # Ids come from a stream of their own: how many are drawn must not change what happens.
        self._letters = self._generator.spawn(1)[0]
        self._numbers: list[float] = []
        self._text, self._at = "", 0

    def uniform(self) -> float:
        """Between 0 and 1."""
        if not self._numbers:
            self._numbers = self._generator.random(_AT_ONCE).tolist()
        return self._numbers.pop()

    def chance(self, share: float) -> bool:
        """True in this share of cases."""
        return self.uniform() < share

    def between(self, low: float, high: float) -> float:
        """Uniform between two numbers."""
        return low + (high - low) * self.uniform()

    def whole(self, low: int, high: int) -> int:
        """Uniform among whole numbers, both ends included."""
        return low + int(self.uniform() * (high - low + 1))

    def normal(self, mean: float = 0.0, spread: float = 1.0) -> float:
        """Normal."""
        return mean + spread * _NORMAL.inv_cdf(min(max(self.uniform(), _TINY), 1 - _TINY))

    def exponential(self, mean: float) -> float:
        """Exponential."""
        return -mean * log(max(self.uniform(), _TINY))

    def gamma2(self, mean: float) -> float:
        """Gamma of shape 2: seldom near 0, seldom far above its mean."""
        return self.exponential(mean / 2) + self.exponential(mean / 2)

    def poisson(self, mean: float) -> int:
        """Poisson, by counting exponential gaps: for small means."""
        count, reached = 0, self.exponential(1.0)
        while reached < mean:
            count, reached = count + 1, reached + self.exponential(1.0)
        return count

    def pick(self, weights: Mapping[str, float]) -> str:
        """One name, by weight."""
        point = self.uniform() * sum(weights.values())
        for name, weight in weights.items():
            point -= weight
            if point < 0:
                return name
        return next(reversed(list(weights)))

    def normals(self, count: int) -> list[float]:
        """Many standard normals at once."""
        numbers: list[float] = self._generator.standard_normal(count).tolist()
        return numbers

    def id(self, prefix: str) -> str:
        """A fresh id in Stripe's form."""
        return f"{prefix}_{self.letters(_ID_LENGTHS.get(prefix, _ID_LENGTH))}"

    def letters(self, length: int) -> str:
        """Letters and digits."""
        if self._at + length > len(self._text):
            drawn = self._letters.integers(0, len(_ALPHABET), _LETTERS_AT_ONCE, dtype=np.uint8)
            self._text, self._at = _ALPHABET[drawn].tobytes().decode(), 0
        self._at += length
        return self._text[self._at - length : self._at]

    def hexadecimal(self, length: int) -> str:
        """Lower-case hexadecimal digits."""
        return self._letters.bytes((length + 1) // 2).hex()[:length]
