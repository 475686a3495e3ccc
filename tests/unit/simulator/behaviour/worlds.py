"""Small worlds for tests, each played once."""

from datetime import date
from functools import cache

from services.simulator.behaviour.year import Plan, Year, play

FIRST_DAY = date(2025, 1, 1)


@cache
def world(customers: int = 400, seed: int = 1, days: int = 365) -> Year:
    return play(Plan(seed, customers, FIRST_DAY, days))
