"""Two sides have the same keys of a day, or the day is named with what is wrong."""

from mlops.pipelines.lib.row_counts import Keys, differences, what_to_do
from mlops.pipelines.lib.sources import SOURCES

FEW, MANY = Keys(2, 17), Keys(3, 40)


def test_days_with_the_same_keys_do_not_differ() -> None:
    assert differences({"2026-01-01": FEW, "no day": MANY}, {"no day": MANY, "2026-01-01": FEW}, {}) == {}


def test_as_many_keys_that_are_others_differ() -> None:
    found = differences({"2026-01-01": FEW}, {"2026-01-01": Keys(2, 18)}, {})
    assert found == {"2026-01-01": "2 keys on both sides, and not the same ones"}


def test_a_day_that_one_side_lacks_and_a_repeated_key_are_named_in_order() -> None:
    found = differences({"2026-01-02": MANY}, {"2026-01-01": FEW, "2026-01-02": MANY}, {"2026-01-02": 1})
    assert list(found.items()) == [
        ("2026-01-01", "PostgreSQL has 0 keys, the lake 2"),
        ("2026-01-02", "1 rows of bronze repeat a key"),
    ]


def test_what_to_do_names_the_days_that_can_be_filled_again() -> None:
    told = what_to_do(SOURCES["decisions"], {"2026-01-01": "…", "no day": "…"})
    assert "backfill decisions --day 2026-01-01`" in told
    assert "backfill" not in what_to_do(SOURCES["decisions"], {"no day": "…"})
