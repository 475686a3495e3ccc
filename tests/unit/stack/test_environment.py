from pathlib import Path

import pytest

from stack.engines import ENGINES, dagster
from stack.environment import lake_addresses, public_environment, render
from stack.errors import StackError
from stack.home import Home
from stack.lake import LAKE
from stack.program import Context
from stack.services import NORMALIZERS, services

WHOLE = [*ENGINES, *LAKE, *services(normalizers=2)]


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    monkeypatch.setenv("TIDEGATE_CACHE", str(tmp_path / "empty-cache"))  # a launch is described, nothing is fetched
    ports = {port: 20000 + number for number, port in enumerate(port for one in WHOLE for port in one.ports)}
    secrets = {secret: f"secret-of-{secret}" for one in WHOLE for secret in one.secrets}
    return Context(Home(tmp_path), ports, secrets)


def launched(context: Context, name: str) -> dict[str, str]:
    (found,) = [one for one in WHOLE if one.name == name]
    return dict(found.launch(context).environment)


def test_the_file_holds_the_documented_names_and_no_empty_value(context: Context) -> None:
    environment = public_environment(context, {"gateway", "inference"})
    assert set(environment) == {
        "TIDEGATE_DATABASE_URL",
        "TIDEGATE_GATEWAY_URL",
        "TIDEGATE_INFERENCE_ADDRESS",
        "TIDEGATE_INFERENCE_URL",
        "TIDEGATE_KAFKA_BOOTSTRAP_SERVERS",
        "TIDEGATE_MLFLOW_URL",
        "TIDEGATE_REDIS_URL",
        "TIDEGATE_SCHEMA_REGISTRY_URL",
        "TIDEGATE_STRIPE_DEFAULT_MERCHANT_ID",
        "TIDEGATE_STRIPE_WEBHOOK_SECRET",
        "TIDEGATE_TEMPORAL_ADDRESS",
        "TIDEGATE_TEMPORAL_NAMESPACE",
        "TIDEGATE_TEMPORAL_UI_URL",
    }
    assert all(environment.values())


def test_what_was_not_started_is_missing_from_the_file(context: Context) -> None:
    environment = public_environment(context, {"kafka", "orchestrator"})
    assert "TIDEGATE_KAFKA_BOOTSTRAP_SERVERS" in environment
    assert not {"TIDEGATE_GATEWAY_URL", "TIDEGATE_INFERENCE_ADDRESS", "TIDEGATE_INFERENCE_URL"} & set(environment)


def test_people_read_the_database_and_the_orchestrator_writes_it(context: Context) -> None:
    assert "//tidegate_reader:" in public_environment(context, ())["TIDEGATE_DATABASE_URL"]
    assert "//tidegate_writer:" in launched(context, "orchestrator")["TIDEGATE_DATABASE_URL"]


def test_only_those_who_verify_or_send_webhooks_get_the_secret(context: Context) -> None:
    holders = {one.name for one in WHOLE if "TIDEGATE_STRIPE_WEBHOOK_SECRET" in one.launch(context).environment}
    assert holders == {"gateway"}


def test_the_online_store_is_entered_by_those_alone_that_use_it(context: Context) -> None:
    assert "TIDEGATE_REDIS_URL" in public_environment(context, ())
    assert {one.name for one in WHOLE if "TIDEGATE_REDIS_URL" in one.launch(context).environment} == {
        *(one.name for one in dagster.PROGRAMS),
        "features",
        "inference",
    }


def test_the_lakehouse_is_in_the_file_as_far_as_it_runs_and_the_keys_of_its_store_never_are(context: Context) -> None:
    environment = public_environment(context, {"kafka", "trino"})
    assert environment["TIDEGATE_TRINO_URL"] == f"http://127.0.0.1:{context.ports['trino']}"
    assert not {"TIDEGATE_DAGSTER_URL", "TIDEGATE_SUPERSET_URL"} & set(environment)
    everything = public_environment(context, {one.name for one in WHOLE})
    assert "secret-of-s3" not in everything.values()


def test_the_lakes_own_processes_read_the_database_and_enter_catalog_and_store(context: Context) -> None:
    environment = lake_addresses(context)
    assert "//tidegate_lake:" in environment["TIDEGATE_DATABASE_URL"]
    assert environment["AWS_SECRET_ACCESS_KEY"] == "secret-of-s3"
    assert environment["TIDEGATE_CATALOG_WAREHOUSE"] == "s3://tidegate-lake"
    assert environment["TIDEGATE_CATALOG_URL"] == f"http://127.0.0.1:{context.ports['s3-iceberg']}"
    assert "TIDEGATE_TRINO_URL" in environment


def test_a_lake_whose_trino_was_never_started_has_no_address_of_one(context: Context) -> None:
    ports = {name: port for name, port in context.ports.items() if name != "trino"}
    assert "TIDEGATE_TRINO_URL" not in lake_addresses(Context(context.home, ports, context.secrets))


def test_the_file_is_one_sorted_assignment_a_line() -> None:
    assert render({"B": "2", "A": "http://127.0.0.1:1/x"}) == "A=http://127.0.0.1:1/x\nB=2\n"


def test_each_normalizer_is_an_instance_with_a_port_of_its_own(context: Context) -> None:
    first, second = launched(context, "normalizer-1"), launched(context, "normalizer-2")
    assert (first["TIDEGATE_INSTANCE"], second["TIDEGATE_INSTANCE"]) == ("normalizer-1", "normalizer-2")
    assert first["TIDEGATE_METRICS_PORT"] != second["TIDEGATE_METRICS_PORT"]


@pytest.mark.parametrize("text", ["0", "-1", "two", "1000", ""])
def test_a_senseless_number_of_normalizers_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("TIDEGATE_STACK_NORMALIZERS", text)
    with pytest.raises(StackError, match="TIDEGATE_STACK_NORMALIZERS"):
        NORMALIZERS.read()


def test_a_secret_from_the_callers_environment_is_the_one_that_holds(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEGATE_STRIPE_WEBHOOK_SECRET", "whsec_of_stripe")
    assert launched(context, "gateway")["TIDEGATE_STRIPE_WEBHOOK_SECRET"] == "whsec_of_stripe"
    assert public_environment(context, {"gateway"})["TIDEGATE_STRIPE_WEBHOOK_SECRET"] == "whsec_of_stripe"
    monkeypatch.delenv("TIDEGATE_STRIPE_WEBHOOK_SECRET")
    assert launched(context, "gateway")["TIDEGATE_STRIPE_WEBHOOK_SECRET"].startswith("secret-of-")
