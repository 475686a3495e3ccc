from dataclasses import replace

from mlops.pipelines.lib.reconciliation import Difference, Totals, as_text, differences

USD = Totals("USD", 10, 4, 1000, 900, 200, 100)
JPY = Totals("JPY", 3, 2, 500, 500, 0, 0)


def test_totals_that_are_the_same_do_not_differ_whatever_their_order() -> None:
    assert differences([USD, JPY], [JPY, USD]) == []
    assert as_text([USD], []).endswith("gold and PostgreSQL agree")


def test_one_cent_too_many_is_named_with_its_currency() -> None:
    found = differences([USD, JPY], [replace(USD, captured_cents=901), JPY])
    assert found == [Difference("USD", "captured_cents", 900, 901)]
    assert "USD captured_cents: PostgreSQL 900, gold 901" in as_text([USD], found)


def test_a_currency_that_one_side_lacks_differs_in_all_that_it_has() -> None:
    found = differences([USD, JPY], [USD])
    assert {(one.figure, one.postgresql, one.gold) for one in found} == {
        ("events", 3, 0), ("payments", 2, 0), ("authorised_cents", 500, 0), ("captured_cents", 500, 0),
    }  # fmt: skip


def test_sums_of_any_whole_type_are_totals() -> None:
    assert Totals.of(("USD", 10, "4", 1000, 900, 200, 100)) == USD
