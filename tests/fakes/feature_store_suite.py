"""What every FeatureStore promises its user; run against the one in memory and the one on Valkey."""

from dataclasses import replace

from mlops.features.catalog import Entity
from mlops.features.facts import PaymentFact
from mlops.features.online import NOTHING, Stored, advanced
from services.features.handler import EntityKey, PartitionWrite
from services.features.ports import FeatureStore, Outcome
from tests.unit.mlops.features.histories import fact

P0, P1 = ("payments.normalized", 0), ("payments.decisions", 1)
CUSTOMER: EntityKey = (Entity.CUSTOMER, "merchant_lumen|cus_1")
MERCHANT: EntityKey = (Entity.MERCHANT, "merchant_lumen")
CARD: EntityKey = (Entity.CARD, "merchant_lumen|card_1")


def after(before: Stored, key: EntityKey, told: PaymentFact) -> Stored:
    return advanced(before, key[0], told)


class FeatureStoreSuite:
    """Inherit it beside a fixture `store` that is empty."""

    def test_an_empty_store_holds_nothing(self, store: FeatureStore) -> None:
        assert store.offsets([P0, P1]) == {P0: None, P1: None}
        assert store.read([CUSTOMER, MERCHANT]) == [NOTHING, NOTHING]
        assert store.offsets([]) == {}
        assert store.read([]) == []
        assert store.write([]) == []

    def test_what_was_written_is_read_with_its_offset(self, store: FeatureStore) -> None:
        written = {key: after(NOTHING, key, fact(1)) for key in (CUSTOMER, CARD, MERCHANT)}
        assert store.write([PartitionWrite(P0, None, 7, written)]) == [Outcome.WRITTEN]
        assert store.offsets([P0, P1]) == {P0: 7, P1: None}
        read = store.read(list(written))
        assert [(each.state, each.moment_us) for each in read] == [
            (each.state, each.moment_us) for each in written.values()
        ]
        assert {each.revision for each in read} == {"payments.normalized/0@7"}

    def test_a_write_from_another_offset_changes_nothing(self, store: FeatureStore) -> None:
        first = after(NOTHING, CUSTOMER, fact(1))
        store.write([PartitionWrite(P0, None, 7, {CUSTOMER: first})])
        (held,) = store.read([CUSTOMER])
        second = after(held, CUSTOMER, fact(2))
        for expected in (None, 6, 8):
            assert store.write([PartitionWrite(P0, expected, 9, {CUSTOMER: second})]) == [Outcome.MOVED]
        assert store.read([CUSTOMER]) == [held]
        assert store.offsets([P0]) == {P0: 7}

    def test_a_write_on_an_entity_that_was_written_since_changes_nothing(self, store: FeatureStore) -> None:
        first = after(NOTHING, CUSTOMER, fact(1))
        assert store.write([PartitionWrite(P0, None, 1, {CUSTOMER: first})]) == [Outcome.WRITTEN]
        late = {MERCHANT: after(NOTHING, MERCHANT, fact(2)), CUSTOMER: after(NOTHING, CUSTOMER, fact(2))}
        assert store.write([PartitionWrite(P1, None, 1, late)]) == [Outcome.CONFLICT]
        assert store.offsets([P1]) == {P1: None}
        assert store.read([MERCHANT]) == [NOTHING]
        (held,) = store.read([CUSTOMER])
        assert store.write([PartitionWrite(P1, None, 1, {CUSTOMER: after(held, CUSTOMER, fact(2))})]) == [
            Outcome.WRITTEN
        ]
        assert store.read([CUSTOMER])[0].revision == "payments.decisions/1@1"

    def test_each_write_builds_on_those_before_it(self, store: FeatureStore) -> None:
        first = after(NOTHING, CUSTOMER, fact(1))
        begin = PartitionWrite(P0, None, 1, {CUSTOMER: first})
        second = after(replace(first, revision=begin.revision), CUSTOMER, fact(2))
        follow = PartitionWrite(P1, None, 1, {CUSTOMER: second})
        assert store.write([begin, follow]) == [Outcome.WRITTEN, Outcome.WRITTEN]
        assert store.read([CUSTOMER]) == [replace(second, revision=follow.revision)]

    def test_a_write_that_builds_on_one_that_was_not_done_is_not_done_either(self, store: FeatureStore) -> None:
        store.write([PartitionWrite(("other", 0), None, 1, {CUSTOMER: after(NOTHING, CUSTOMER, fact(3))})])
        first = after(NOTHING, CUSTOMER, fact(1))
        begin = PartitionWrite(P0, None, 1, {CUSTOMER: first})
        second = after(replace(first, revision=begin.revision), CUSTOMER, fact(2))
        assert store.write([begin, PartitionWrite(P1, None, 1, {CUSTOMER: second})]) == [Outcome.CONFLICT] * 2

    def test_messages_that_change_nothing_move_the_offset(self, store: FeatureStore) -> None:
        assert store.write([PartitionWrite(P0, None, 3, {})]) == [Outcome.WRITTEN]
        assert store.write([PartitionWrite(P0, 3, 5, {})]) == [Outcome.WRITTEN]
        assert store.offsets([P0]) == {P0: 5}

    def test_readers_are_told_what_is_built_anew(self, store: FeatureStore) -> None:
        store.say_rebuilding([P0, P1])
        assert store.rebuilding() == {P0, P1}
        store.say_rebuilding([P0], done=True)
        assert store.rebuilding() == {P1}
        store.say_rebuilding([P1], done=True)
        assert store.rebuilding() == frozenset()
