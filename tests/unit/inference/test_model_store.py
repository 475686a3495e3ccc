"""Which version serves: what the aliases name, swapped whole, and the old one where the new one is no good."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from services.inference.adapters.model_shelf import ModelShelf
from services.inference.model_store import ModelStore, UnusableArtifactError
from services.inference.serving import CHALLENGER, CHAMPION, Alias, Models
from services.inference.wiring import load_model
from services.runtime.clock import FrozenClock
from services.runtime.errors import NeighbourUnavailableError
from tests.fakes import models
from tests.fakes.model_versions import FakeModelVersions
from tests.fakes.times import NOW

AWAY = NeighbourUnavailableError("MLflow", "it does not answer")


class Watched:
    """A store over a fake registry, and what it has published."""

    def __init__(self, folder: Path) -> None:
        self.registry = FakeModelVersions()
        self.clock = FrozenClock(NOW)
        self.published: list[Models] = []
        self.folder = folder
        self.store = self.restarted()

    def restarted(self) -> ModelStore:
        """Another process over the same folder."""
        self.store = ModelStore(
            self.registry,
            ModelShelf(self.folder / "shelf"),
            load_model,
            self.clock,
            self.published.append,
            interval_seconds=0.001,
        )
        return self.store

    def add(self, number: str, **what: object) -> Path:
        where = models.folder(self.folder / f"v{number}", **what)
        self.registry.add(number, where)
        return where

    def serves(self, alias: Alias = CHAMPION) -> str | None:
        """The version that answers now."""
        served = self.published[-1].get(("fraud", alias)) if self.published else None
        return None if served is None else served.model.version


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    tested = Watched(tmp_path)
    tested.add("1", always=0.1)
    tested.registry.point(CHAMPION, "1")
    tested.store.check()
    return tested


def break_one_byte(folder: Path) -> None:
    booster = folder / "booster.txt"
    booster.write_text(booster.read_text().replace("num_leaves=15", "num_leaves=14", 1))


def test_what_the_alias_names_serves_and_is_fetched_once(watched: Watched) -> None:
    watched.store.check()
    assert (watched.serves(), watched.registry.fetched, len(watched.published)) == ("1", ["1"], 1)


def test_a_promotion_serves_at_the_next_check(watched: Watched) -> None:
    watched.add("2", always=0.9)
    watched.registry.point(CHAMPION, "2")
    watched.store.check()
    assert watched.serves() == "2"


def test_a_broken_artifact_keeps_the_old_version_and_says_so(watched: Watched) -> None:
    break_one_byte(watched.add("2", always=0.9))
    watched.registry.point(CHAMPION, "2")
    watched.store.check()
    assert watched.serves() == "1"
    (remark,) = watched.store.remarks
    assert "version 2 cannot be served" in remark
    assert "booster.txt" in remark


@pytest.mark.parametrize("what", [{"features": ("amount_usd", "no_such_feature")}, {"thresholds": {"review": 0.5}}])
def test_a_model_that_cannot_answer_its_question_is_refused(watched: Watched, what: dict[str, object]) -> None:
    watched.add("2", **what)
    watched.registry.point(CHAMPION, "2")
    watched.store.check()
    assert watched.serves() == "1"
    assert watched.store.remarks


def test_a_refused_version_is_tried_again_a_minute_later(watched: Watched) -> None:
    watched.registry.add("2", None)
    watched.registry.point(CHAMPION, "2")
    for _ in range(3):
        watched.store.check()
    assert watched.registry.fetched.count("2") == 1
    watched.add("2", always=0.9)
    watched.clock.advance(timedelta(seconds=61))
    watched.store.check()
    assert (watched.serves(), watched.store.remarks) == ("2", [])


def test_a_broken_challenger_keeps_no_champion_back(watched: Watched) -> None:
    watched.registry.add("2", None)
    watched.registry.point(CHALLENGER, "2")
    watched.add("3", always=0.9)
    watched.registry.point(CHAMPION, "3")
    watched.store.check()
    assert (watched.serves(), watched.serves(CHALLENGER)) == ("3", None)


def test_an_alias_taken_away_withdraws_the_model(watched: Watched) -> None:
    watched.registry.unpoint(CHAMPION)
    watched.store.check()
    assert watched.serves() is None


def test_a_registry_away_leaves_what_serves_and_is_remarked(watched: Watched) -> None:
    watched.registry.trouble = AWAY
    watched.store.check()
    assert watched.serves() == "1"
    assert "MLflow does not answer" in watched.store.remarks[0]
    watched.registry.trouble = None
    watched.store.check()
    assert watched.store.remarks == []


def test_a_restart_without_the_registry_serves_what_was_named_last(watched: Watched) -> None:
    watched.registry.trouble = AWAY
    watched.published.clear()
    watched.restarted().restore()
    assert watched.serves() == "1"


def test_a_restart_with_an_empty_folder_serves_by_rules_until_the_registry_answers(tmp_path: Path) -> None:
    fresh = Watched(tmp_path)
    fresh.store.restore()
    assert fresh.published == []
    fresh.add("1")
    fresh.registry.point(CHAMPION, "1")
    fresh.store.check()
    assert fresh.serves() == "1"


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - the store tells of nothing but by its state
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("trouble", [UnusableArtifactError("no such version"), KeyError("model_version")])
async def test_an_answer_that_makes_no_sense_does_not_end_the_watch(watched: Watched, trouble: Exception) -> None:
    watched.registry.trouble = trouble
    watching = asyncio.create_task(watched.store.watch())
    try:
        await until(lambda: bool(watched.store.remarks))
        watched.add("2", always=0.9)
        watched.registry.point(CHAMPION, "2")
        watched.registry.trouble = None
        await until(lambda: watched.serves() == "2")
    finally:
        watching.cancel()
