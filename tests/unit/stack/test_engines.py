"""How engines are described: what a launch says, without starting anything."""

import json
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import yaml

from stack.engines import ENGINES, UNAWAITED, dagster, kafka, seaweedfs, trino, valkey
from stack.errors import StackError
from stack.home import Home
from stack.lake import LAKE
from stack.processes import Launch
from stack.program import Context, launch_fingerprint
from stack.services import services

ALL = [*ENGINES, *LAKE]


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    monkeypatch.setenv("TIDEGATE_CACHE", str(tmp_path / "empty-cache"))  # a launch is described, nothing is fetched
    ports = {port: 20000 + number for number, port in enumerate(port for one in ALL for port in one.ports)}
    secrets = {secret: f"secret-of-{secret}" for one in ALL for secret in one.secrets}
    return Context(Home(tmp_path), ports, secrets)


def launched(context: Context, name: str) -> Launch:
    (found,) = [one for one in ALL if one.name == name]
    return found.launch(context)


@pytest.mark.parametrize("name", [one.name for one in ALL])
def test_no_secret_stands_among_the_arguments_where_everybody_can_read_it(context: Context, name: str) -> None:
    assert not [argument for argument in launched(context, name).argv if "secret-of-" in argument]


def options(context: Context) -> dict[str, str]:
    """SeaweedFS's `-name=value` options."""
    return dict(word.split("=", 1) for word in launched(context, "seaweedfs").argv if word.startswith("-"))


def test_every_port_of_seaweedfs_is_chosen_so_that_none_is_a_default_of_its_own(context: Context) -> None:
    given = {value for name, value in options(context).items() if ".port" in name and value != "0"}
    assert given == {str(context.ports[port]) for port in seaweedfs.ENGINE.ports}
    assert (options(context)["-ip"], options(context)["-ip.bind"]) == ("127.0.0.1", "127.0.0.1")


def test_seaweedfs_tells_nobody_about_its_use(context: Context) -> None:
    assert options(context)["-master.telemetry"] == "false"


def test_the_parts_below_s3_ask_each_other_for_signed_tokens(context: Context) -> None:
    environment = launched(context, "seaweedfs").environment
    keys = [environment[name] for name in environment if name.startswith("WEED_JWT_")]
    assert keys == ["secret-of-seaweedfs_tokens"] * 4


def test_sockets_that_a_killed_seaweedfs_left_are_removed(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = context.home.root / "sockets"
    folder.mkdir()
    monkeypatch.setattr(seaweedfs, "_SOCKET_FOLDER", folder)
    own, other = folder / f"seaweedfs-s3-{context.ports['s3']}.sock", folder / "seaweedfs-s3-1.sock"
    own.touch()
    other.touch()
    seaweedfs.ENGINE.settled(context)
    assert list(folder.iterdir()) == [other]


def test_mlflow_keeps_tables_in_its_own_database_and_artifacts_in_s3(context: Context) -> None:
    environment = launched(context, "mlflow").environment
    ports = context.ports
    assert environment["_MLFLOW_SERVER_FILE_STORE"] == (
        f"postgresql+psycopg://tidegate_mlflow:secret-of-postgresql_mlflow@127.0.0.1:{ports['postgresql']}/tidegate_mlflow"
    )
    assert environment["_MLFLOW_SERVER_ARTIFACT_DESTINATION"] == "s3://mlflow"
    assert environment["MLFLOW_S3_ENDPOINT_URL"] == f"http://127.0.0.1:{ports['s3']}"
    seaweed = launched(context, "seaweedfs").environment
    assert environment["AWS_SECRET_ACCESS_KEY"] == seaweed["AWS_SECRET_ACCESS_KEY"] == "secret-of-s3"


def test_mlflow_tells_nobody_about_its_use(context: Context) -> None:
    environment = launched(context, "mlflow").environment
    assert (environment["MLFLOW_DISABLE_TELEMETRY"], environment["DO_NOT_TRACK"]) == ("true", "true")


def test_services_wait_for_all_engines_but_those_that_none_needs() -> None:
    awaited = [one for one in ENGINES if one not in UNAWAITED]
    needed = {need for one in [*awaited, *services(normalizers=1)] for need in one.needs}
    assert needed.isdisjoint(one.name for one in UNAWAITED)


def test_valkey_listens_on_loopback_and_asks_for_a_password(context: Context) -> None:
    lines = valkey.configuration(context).splitlines()
    assert {"bind 127.0.0.1", f"port {context.ports['valkey']}", "requirepass secret-of-valkey"} <= set(lines)
    assert {"appendonly yes", "appendfsync everysec", "maxmemory-policy noeviction", "maxmemory 256mb"} <= set(lines)


def test_valkeys_configuration_is_its_owners_alone(context: Context) -> None:
    valkey.ENGINE.prepare(context)
    file = Path(launched(context, "valkey").argv[1])
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text() == valkey.configuration(context)


def test_another_memory_limit_restarts_valkey(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    before = launch_fingerprint(launched(context, "valkey"))
    monkeypatch.setenv("TIDEGATE_STACK_VALKEY_MEMORY_MIB", "512")
    assert launch_fingerprint(launched(context, "valkey")) != before
    assert "maxmemory 512mb" in valkey.configuration(context)


def test_a_senseless_memory_limit_is_refused(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_STACK_VALKEY_MEMORY_MIB", "1gb")
    with pytest.raises(StackError, match="TIDEGATE_STACK_VALKEY_MEMORY_MIB"):
        launched(context, "valkey")


def settings(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines())


def test_trino_is_one_node_on_loopback(context: Context) -> None:
    server = settings(trino.server_properties(context))
    assert (server["node.bind-ip"], server["node.internal-address"]) == ("127.0.0.1", "127.0.0.1")
    assert server["http-server.http.port"] == str(context.ports["trino"])
    assert (server["coordinator"], server["node-scheduler.include-coordinator"]) == ("true", "true")


def test_trinos_catalog_is_that_of_seaweedfs_and_its_file_holds_no_key(context: Context) -> None:
    text = trino.catalog_properties(context)
    catalog = settings(text)
    assert catalog["iceberg.rest-catalog.uri"] == f"http://127.0.0.1:{context.ports['s3-iceberg']}"
    assert catalog["s3.endpoint"] == f"http://127.0.0.1:{context.ports['s3']}"
    assert (catalog["iceberg.rest-catalog.sigv4-enabled"], catalog["iceberg.rest-catalog.signing-name"]) == (
        "true",
        "s3tables",
    )
    assert "secret-of-" not in text
    assert catalog["s3.aws-secret-key"] == "${ENV:AWS_SECRET_ACCESS_KEY}"
    assert launched(context, "trino").environment["AWS_SECRET_ACCESS_KEY"] == "secret-of-s3"


def test_no_catalog_but_the_lakes_can_keep_trino_from_starting(context: Context) -> None:
    folder = context.home.data("trino") / "catalog"
    folder.mkdir(parents=True)
    (folder / "other.properties").write_text("connector.name=unknown")
    trino.ENGINE.prepare(context)
    assert {file.name for file in folder.iterdir()} == {"lake.properties", "lake_read_only.properties"}
    lake = trino.catalog_properties(context)
    assert (folder / "lake.properties").read_text() == lake
    read_only = settings((folder / "lake_read_only.properties").read_text())
    assert read_only == {**settings(lake), "iceberg.security": "READ_ONLY"}


def test_trino_starts_with_rules_and_anew_when_they_change(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trino.ENGINE.prepare(context)
    file = Path(settings(trino.server_properties(context))["access-control.config-files"])
    assert settings(file.read_text()) == {"access-control.name": "file", "security.config-file": str(trino.RULES)}
    before = launch_fingerprint(launched(context, "trino"))
    monkeypatch.setattr(trino, "RULES", tmp_path / "rules.json")
    trino.RULES.write_text("{}")
    assert launch_fingerprint(launched(context, "trino")) != before


def test_another_port_of_the_catalog_restarts_trino(context: Context) -> None:
    moved = Context(context.home, {**context.ports, "s3-iceberg": 31000}, context.secrets)
    assert launch_fingerprint(launched(moved, "trino")) != launch_fingerprint(launched(context, "trino"))


def test_classes_of_a_run_that_was_not_stopped_are_not_kept(context: Context) -> None:
    new = context.home.data("trino") / "new.aot"
    new.parent.mkdir(parents=True)
    new.touch()
    trino.ENGINE.prepare(context)
    assert not new.exists()


def test_dagster_keeps_its_state_in_its_own_database_and_its_password_in_no_file(context: Context) -> None:
    dagster.CODE.prepare(context)
    files = {file.name: file.read_text() for file in context.home.data("dagster").iterdir()}
    assert set(files) == {"dagster.yaml", "workspace.yaml"}
    assert not [name for name, text in files.items() if "secret-of-" in text]
    assert yaml.safe_load(files["dagster.yaml"])["storage"] == {
        "postgres": {"postgres_url": {"env": "TIDEGATE_DAGSTER_DATABASE_URL"}}
    }
    assert launched(context, "dagster").environment["TIDEGATE_DAGSTER_DATABASE_URL"] == (
        "postgresql://tidegate_dagster:secret-of-postgresql_dagster"
        f"@127.0.0.1:{context.ports['postgresql']}/tidegate_dagster"
    )


@pytest.mark.parametrize("name", [one.name for one in dagster.PROGRAMS])
def test_dagster_tells_nobody_about_its_use(context: Context, name: str) -> None:
    environment = launched(context, name).environment
    assert (environment["DAGSTER_DISABLE_TELEMETRY"], environment["DO_NOT_TRACK"]) == ("true", "true")
    assert yaml.safe_load(dagster.instance_file())["telemetry"] == {"enabled": False}


def test_pages_and_daemon_ask_the_one_code_server(context: Context) -> None:
    (asked,) = yaml.safe_load(dagster.workspace_file(context))["load_from"]
    assert (asked["grpc_server"]["host"], asked["grpc_server"]["port"]) == ("127.0.0.1", context.ports["dagster-code"])
    argv = launched(context, "dagster-code").argv
    assert [argv[argv.index(option) + 1] for option in ("--host", "--port")] == [
        "127.0.0.1",
        str(context.ports["dagster-code"]),
    ]


def test_a_sign_of_life_from_the_daemon_before_does_not_count() -> None:
    told = [
        {"daemonType": "SENSOR", "required": True, "healthy": True, "lastHeartbeatTime": 99.0},
        {"daemonType": "SCHEDULER", "required": True, "healthy": True, "lastHeartbeatTime": 101.0},
        {"daemonType": "BACKFILL", "required": True, "healthy": False, "lastHeartbeatTime": None},
        {"daemonType": "UNUSED", "required": False, "healthy": False, "lastHeartbeatTime": None},
    ]
    assert dagster.silent_daemons(told, began=100.0) == ["SENSOR", "BACKFILL"]


@pytest.fixture
def sleeper() -> Iterator[psutil.Process]:
    """A process that leads a session of its own, as runs do."""
    process = subprocess.Popen(["sleep", "60"], start_new_session=True)
    yield psutil.Process(process.pid)
    process.kill()
    process.wait()


def told_of(context: Context, process: psutil.Process, started: str) -> None:
    folder = context.home.data("dagster") / "workers"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"host": "here", "pid": process.pid, "started": started}))


def test_a_run_that_is_left_ends_with_the_daemon(context: Context, sleeper: psutil.Process) -> None:
    started = Path(f"/proc/{sleeper.pid}/stat").read_text().rpartition(")")[2].split()[19]
    told_of(context, sleeper, started)
    dagster.DAEMON.settled(context)
    assert not sleeper.is_running() or sleeper.status() == psutil.STATUS_ZOMBIE


def test_a_process_that_got_the_number_of_a_run_is_left_alone(context: Context, sleeper: psutil.Process) -> None:
    told_of(context, sleeper, "1")
    (context.home.data("dagster") / "workers" / "half.json").write_text("{")
    dagster.DAEMON.settled(context)
    assert sleeper.status() != psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("first", range(256))
def test_no_cluster_is_named_like_an_option(first: int) -> None:
    name = kafka.cluster_id(bytes((first, *range(15))))
    assert (len(name), name[0] in "-_") == (22, False)
