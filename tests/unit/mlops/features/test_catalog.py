"""The table of features and what is made of it."""

from mlops.features.catalog import FEATURES, VIEWS
from mlops.features.page import PAGE, page

EXPECTED = {
    "total_payments_30d",
    "failed_payments_7d",
    "fraud_score_avg_30d",
    "distinct_cards_24h",
    "amount_zscore",
    "days_since_last_success",
    "decline_rate_7d",
}


def test_the_names_that_people_expect_are_there_and_no_name_is_there_twice() -> None:
    names = [feature.name for feature in FEATURES]
    assert set(names) > EXPECTED
    assert len(names) == len(set(names))


def test_every_feature_says_everything_about_itself_and_has_a_view() -> None:
    views = {view.name for view in VIEWS}
    for feature in FEATURES:
        assert feature.view in views
        assert all((feature.window, feature.unit, feature.source, feature.description))


def test_a_windows_length_is_in_the_name() -> None:
    for feature in FEATURES:
        if feature.window not in {"all", "97d"} and feature.name != "amount_zscore":
            assert feature.name.endswith(f"_{feature.window}"), feature.name


def test_the_page_is_what_the_catalog_says() -> None:
    assert PAGE.read_text() == page(), "run `make gen` and commit docs/features.md"
