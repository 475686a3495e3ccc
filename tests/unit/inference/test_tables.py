from pathlib import Path
from typing import Any

import pytest
import yaml

from services.inference.tables import DECLINE_RULES, NETWORK_RULES, RuleTableError, read_rule_tables


def changed(source: Path, tmp_path: Path, change: Any) -> Path:
    content = yaml.safe_load(source.read_text())
    change(content)
    copy = tmp_path / source.name
    copy.write_text(yaml.safe_dump(content))
    return copy


def test_the_project_s_own_tables_are_read() -> None:
    tables = read_rule_tables()
    assert {network.name for network in tables.networks.networks} >= {"visa", "mastercard"}
    assert len(tables.declines.decline_codes) > 40


def test_the_version_changes_with_the_content(tmp_path: Path) -> None:
    def one_more(content: Any) -> None:
        content["networks"][0]["budgets"][0]["attempts"] = 16

    own = read_rule_tables()
    other = read_rule_tables(network_rules=changed(NETWORK_RULES, tmp_path, one_more))
    assert other.version != own.version
    assert read_rule_tables().version == own.version


def test_a_row_without_a_source_is_refused_by_its_code(tmp_path: Path) -> None:
    def without_source(content: Any) -> None:
        row = next(row for row in content["decline_codes"] if row["code"] == "stolen_card")
        del row["source"]

    with pytest.raises(RuleTableError, match=r"decline_codes\[stolen_card\]\.source"):
        read_rule_tables(decline_rules=changed(DECLINE_RULES, tmp_path, without_source))


def test_an_unknown_class_is_refused(tmp_path: Path) -> None:
    def misspelt(content: Any) -> None:
        content["decline_codes"][0]["class"] = "GENERIK"

    with pytest.raises(RuleTableError, match="GENERIK"):
        read_rule_tables(decline_rules=changed(DECLINE_RULES, tmp_path, misspelt))


def test_retry_is_no_action_of_a_rule(tmp_path: Path) -> None:
    def retry(content: Any) -> None:
        content["networks"][1]["advice_codes"][0]["action"] = "RETRY"

    with pytest.raises(RuleTableError, match="leave the action out"):
        read_rule_tables(network_rules=changed(NETWORK_RULES, tmp_path, retry))


def test_a_class_that_is_missing_is_refused(tmp_path: Path) -> None:
    def without_hard(content: Any) -> None:
        content["classes"] = [row for row in content["classes"] if row["class"] != "HARD"]

    with pytest.raises(RuleTableError, match="every DeclineClass"):
        read_rule_tables(decline_rules=changed(DECLINE_RULES, tmp_path, without_hard))


def test_a_code_that_comes_twice_is_refused(tmp_path: Path) -> None:
    def twice(content: Any) -> None:
        content["networks"][0]["never_response_codes"].append(content["networks"][0]["never_response_codes"][0])

    with pytest.raises(RuleTableError, match="04 more than once"):
        read_rule_tables(network_rules=changed(NETWORK_RULES, tmp_path, twice))


def test_a_network_without_budget_is_refused(tmp_path: Path) -> None:
    def unlimited(content: Any) -> None:
        content["networks"][0]["budgets"] = []

    with pytest.raises(RuleTableError, match=r"networks\[visa\]\.budgets"):
        read_rule_tables(network_rules=changed(NETWORK_RULES, tmp_path, unlimited))


def test_advice_of_a_network_that_is_not_listed_is_refused(tmp_path: Path) -> None:
    def elsewhere(content: Any) -> None:
        content["networks"][0]["advice_codes_of"] = "discover"

    with pytest.raises(RuleTableError, match="discover"):
        read_rule_tables(network_rules=changed(NETWORK_RULES, tmp_path, elsewhere))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RuleTableError, match=r"nowhere\.yaml: No such file"):
        read_rule_tables(network_rules=tmp_path / "nowhere.yaml")


def test_a_file_that_is_no_yaml_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "rules.yaml"
    broken.write_text("networks: [")
    with pytest.raises(RuleTableError, match=r"rules\.yaml is not YAML"):
        read_rule_tables(network_rules=broken)
