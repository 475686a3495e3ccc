"""Collects and prints the state of a stack on one screen; every probe is short, for it is read when things are down."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import httpx
import psycopg
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]  # exported without saying so
from prometheus_client.parser import text_string_to_metric_families
from psycopg import sql

from stack.engines.kafka import bootstrap_servers
from stack.engines.postgresql import OWNER, database_url
from stack.errors import StackError
from stack.home import ProcessRecord
from stack.ports import LOOPBACK
from stack.processes import is_running, memory_bytes, started_at
from stack.program import Context, Kind, NotReadyError, Program

_PROBE_SECONDS = 2.0
_COUNTED_TABLES = ("payment_events", "decisions", "quarantine")
_OUTBOX = "decision_outbox"
_MEBIBYTE = 1 << 20

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ProgramStatus:
    """One line of the screen."""

    name: str
    kind: Kind
    state: str
    pid: int | None = None
    started: float | None = None
    memory_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """All that the screen shows; a part that could not be asked is None."""

    home: str
    programs: Sequence[ProgramStatus]
    lag: Mapping[str, int] | None = None
    webhooks: Mapping[str, int] | None = None
    messages: Mapping[str, int] | None = None
    rows: Mapping[str, int] | None = None
    links: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def collect(context: Context, programs: Sequence[Program], records: Mapping[str, ProcessRecord]) -> Report:
    """Ask everything at the same time; what does not answer in time is left out."""
    with ThreadPoolExecutor(max_workers=len(programs) + 4) as pool:
        states = [pool.submit(program_status, context, program, records.get(program.name)) for program in programs]
        lag = pool.submit(_asked, lambda: consumer_lag(bootstrap_servers(context)))
        webhooks = pool.submit(_asked, lambda: _webhooks(context))
        messages = pool.submit(_asked, lambda: _messages(context, programs))
        rows = pool.submit(_asked, lambda: _rows(context))
    started = {status.result().name for status in states if status.result().pid}
    return Report(
        home=str(context.home.root),
        programs=[status.result() for status in states],
        lag=lag.result(),
        webhooks=webhooks.result(),
        messages=messages.result(),
        rows=rows.result(),
        links={program.name: program.links(context) for program in programs if program.name in started},
    )


def program_status(context: Context, program: Program, record: ProcessRecord | None) -> ProgramStatus:
    """Whether one program runs and is ready."""
    if record is None:
        return ProgramStatus(program.name, program.kind, "not started")
    if not is_running(record):
        return ProgramStatus(program.name, program.kind, "CRASHED (`up` restarts it)")
    try:
        program.ready(context)
        state = "ready"
    except NotReadyError as error:
        state = f"NOT READY: {error}"
    except StackError as error:
        state = f"NOT READY: {error.message}"
    started = started_at(record.pid)
    return ProgramStatus(program.name, program.kind, state, record.pid, started, memory_bytes(record.pid))


def consumer_lag(servers: str) -> dict[str, int]:
    """Messages that each consumer group has not yet consumed, over all topics it has committed offsets of."""
    client = AdminClient(
        {"bootstrap.servers": servers, "log_level": 0, "socket.timeout.ms": int(_PROBE_SECONDS * 1000)}
    )
    groups = client.list_consumer_groups(request_timeout=_PROBE_SECONDS).result(_PROBE_SECONDS)
    committed = {group.group_id: _committed(client, group.group_id) for group in groups.valid}
    partitions = {TopicPartition(p.topic, p.partition) for offsets in committed.values() for p in offsets}
    if not partitions:
        return dict.fromkeys(committed, 0)
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    ends = client.list_offsets(dict.fromkeys(partitions, latest), request_timeout=_PROBE_SECONDS)
    end_of = {(p.topic, p.partition): future.result(_PROBE_SECONDS).offset for p, future in ends.items()}
    return {
        group: sum(max(0, end_of[p.topic, p.partition] - p.offset) for p in offsets)
        for group, offsets in committed.items()
    }


def render(report: Report) -> str:
    """The screen's text."""
    lines = [f"Tidegate in {report.home}"]
    for kind in Kind:
        lines += ["", f"{kind.value.capitalize()}s"]
        lines += [_program_line(program) for program in report.programs if program.kind is kind]
    lines += [f"  {'memory':<14} {sum(p.memory_bytes for p in report.programs) / _MEBIBYTE:>24.0f} MiB in all", ""]
    lines += _count_lines("Webhooks", report.webhooks, "the gateway does not answer")
    lines += _count_lines("Stages", report.messages, "no stage answers")
    lines += _count_lines("Rows", report.rows, "PostgreSQL does not answer")
    lines += _count_lines("Lag", report.lag, "Kafka does not answer")
    if report.links:
        lines += ["", "Links"]
        lines += [
            f"  {name:<14} {what:<10} {where}" for name, links in report.links.items() for what, where in links.items()
        ]
    return "\n".join(lines) + "\n"


def _program_line(program: ProgramStatus) -> str:
    if program.pid is None or program.started is None:
        return f"  {program.name:<14} {program.state}"
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(program.started))
    memory = f"{program.memory_bytes / _MEBIBYTE:.0f} MiB"
    return f"  {program.name:<14} pid {program.pid:<8} {memory:>10}  since {since}  {program.state}"


def _count_lines(title: str, counts: Mapping[str, int] | None, silence: str) -> list[str]:
    if counts is None:
        return [f"{title:<9} ({silence})"]
    if not counts:
        return [f"{title:<9} none yet"]
    return [f"{title:<9} " + "  ".join(f"{name} {count}" for name, count in counts.items())]


def _asked(question: Callable[[], T]) -> T | None:
    try:
        return question()
    except (KafkaException, psycopg.Error, httpx.HTTPError, TimeoutError, KeyError):
        return None


def _committed(client: AdminClient, group: str) -> Sequence[TopicPartition]:
    request = [ConsumerGroupTopicPartitions(group)]
    (future,) = client.list_consumer_group_offsets(request, request_timeout=_PROBE_SECONDS).values()
    return [p for p in future.result(_PROBE_SECONDS).topic_partitions if p.offset >= 0]


def _webhooks(context: Context) -> dict[str, int]:
    counts = _counter(context.ports["gateway"], "tidegate_webhooks", ("outcome",))
    return {"received": sum(counts.values()), **counts}


def _messages(context: Context, programs: Sequence[Program]) -> dict[str, int]:
    from stack.services import metrics_port

    total: dict[str, int] = {}
    for program in programs:
        if program.kind is Kind.SERVICE and (port := context.ports.get(metrics_port(program.name))):
            for name, count in (
                _asked(partial(_counter, port, "tidegate_messages", ("stage", "outcome"))) or {}
            ).items():
                total[name] = total.get(name, 0) + count
    return total


def _counter(port: int, name: str, labels: Sequence[str]) -> dict[str, int]:
    """One counter of a process's /metrics, summed by these labels."""
    response = httpx.get(f"http://{LOOPBACK}:{port}/metrics", timeout=_PROBE_SECONDS, trust_env=False)
    counts: dict[str, int] = {}
    for family in text_string_to_metric_families(response.raise_for_status().text):
        for sample in family.samples:
            if sample.name == f"{name}_total":
                key = " ".join(sample.labels.get(label, "") for label in labels)
                counts[key] = counts.get(key, 0) + int(sample.value)
    return counts


def _rows(context: Context) -> dict[str, int]:
    options = f"-c statement_timeout={int(_PROBE_SECONDS * 1000)}"
    url = database_url(context, OWNER)
    with psycopg.connect(url, connect_timeout=int(_PROBE_SECONDS), options=options) as connection:
        tables = [table for table in (*_COUNTED_TABLES, _OUTBOX) if _has_table(connection, table)]
        return {table: _count(connection, table) for table in tables}


def _has_table(connection: psycopg.Connection, table: str) -> bool:
    row = connection.execute("SELECT to_regclass(%s) IS NOT NULL", [f"tidegate.{table}"]).fetchone()
    return bool(row and row[0])


def _count(connection: psycopg.Connection, table: str) -> int:
    query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier("tidegate", table))
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0
