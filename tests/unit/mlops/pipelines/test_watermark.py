"""How far a table has come is kept with it; each commit has a moment behind the last one's, whatever clocks say."""

from datetime import UTC, datetime, timedelta

from mlops.pipelines.lib.watermark import Reach, Watermark, moment_after, taken_out

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
A_MOMENT = timedelta(microseconds=1)


def grown(reach: Reach, xid: int, minutes: int) -> Reach:
    return reach._replace(
        until=Watermark(xid, "stripe:evt_1"), ingested_at=(NOON + timedelta(minutes=minutes)).isoformat()
    )


def test_a_commit_s_moment_is_now_and_behind_the_last_one_where_the_clock_was_set_back() -> None:
    first, kept = moment_after({}, NOON)
    again, kept_again = moment_after(kept, NOON)
    set_back, kept_last = moment_after(kept_again, NOON - timedelta(hours=1))
    assert (first, again, set_back) == (NOON, NOON + A_MOMENT, NOON + 2 * A_MOMENT)
    assert moment_after(kept_last, NOON + timedelta(hours=1))[0] == NOON + timedelta(hours=1)


def test_a_reach_is_what_properties_tell_and_comes_back_from_what_it_tells() -> None:
    properties = {**Watermark(7, "stripe:evt:1").properties(), **moment_after({}, NOON)[1], **taken_out(NOON)}
    reach = Reach.of(properties)
    assert reach.until == Watermark(7, "stripe:evt:1")
    assert reach.literal == "timestamp '2026-03-01 12:00:00.000000 UTC'"
    assert Reach.from_told(reach.told()) == reach


def test_only_what_grew_behind_a_known_moment_can_be_compared_in_part() -> None:
    earlier = grown(Reach.of({}), 7, 0)
    later = grown(earlier, 9, 10)
    assert later.only_grew_since(earlier)
    assert earlier.only_grew_since(earlier)
    assert not later._replace(taken_out_at="2026-03-01T12:05:00+00:00").only_grew_since(earlier), "a backfill"
    assert not grown(earlier, 3, 10).only_grew_since(earlier), "a rebuild that has not come so far again"
    assert not later.only_grew_since(Reach.of({})), "ingested before moments were kept"
    assert not later.only_grew_since(grown(earlier, 0, 0)), "rows of a dump, of which more may have come"
