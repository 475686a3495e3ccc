"""Randomness follows from seed and entity alone."""

from collections import Counter

import pytest

from services.simulator.behaviour.draws import Draws


def test_an_entity_draws_the_same_again_and_another_entity_others() -> None:
    assert [Draws(1, 2, 3).uniform() for _ in range(2)] == [Draws(1, 2, 3).uniform()] * 2
    assert Draws(1, 2, 3).uniform() != Draws(1, 2, 4).uniform()
    assert Draws(1, 2, 3).uniform() != Draws(2, 2, 3).uniform()
    assert Draws(1, 2, 3).id("ch") != Draws(1, 2, 4).id("ch")


def test_how_many_ids_are_drawn_changes_nothing_that_happens() -> None:
    few, many = Draws(1, 0), Draws(1, 0)
    for _ in range(500):
        many.id("evt")
    assert [few.uniform() for _ in range(300)] == [many.uniform() for _ in range(300)]


def test_distributions_have_their_means() -> None:
    draws = Draws(5, 0)
    count = 20_000
    assert sum(draws.exponential(3.0) for _ in range(count)) / count == pytest.approx(3.0, rel=0.05)
    assert sum(draws.gamma2(3.0) for _ in range(count)) / count == pytest.approx(3.0, rel=0.05)
    assert sum(draws.poisson(0.7) for _ in range(count)) / count == pytest.approx(0.7, rel=0.05)
    assert sum(draws.normal(2.0, 0.5) for _ in range(count)) / count == pytest.approx(2.0, rel=0.02)
    assert {draws.whole(2, 4) for _ in range(200)} == {2, 3, 4}
    picked = Counter(draws.pick({"a": 1.0, "b": 3.0}) for _ in range(count))
    assert picked["b"] / count == pytest.approx(0.75, abs=0.02)


def test_ids_have_stripes_form() -> None:
    draws = Draws(1, 0)
    assert len(draws.id("ch")) == len("ch_") + 24
    assert len(draws.id("cus")) == len("cus_") + 14
    assert draws.letters(5000 // 3).isalnum()
    assert set(draws.hexadecimal(32)) <= set("0123456789abcdef")
