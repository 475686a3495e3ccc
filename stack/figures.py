"""Asks services, Kafka and PostgreSQL for the figures of the status screen; each is asked briefly: it may be down."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import httpx
import psycopg
from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]  # exported without saying so
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from psycopg import sql

from stack.ports import LOOPBACK

PROBE_SECONDS = 2.0
UNKNOWN = "unknown"
AT_MOST, ABOUT = "≤", "~"

_TABLES = ("payment_events", "decisions", "quarantine", "decision_outbox")
_LOCK_SECONDS = 0.5

Figures = Mapping[str, str]
Partition = tuple[str, int]
T = TypeVar("T")


def asked(question: Callable[[], T]) -> T | None:
    """The answer; None when whoever is asked does not give one."""
    try:
        return question()
    except (KafkaException, psycopg.Error, httpx.HTTPError, TimeoutError, KeyError):
        return None


def scrape(port: int) -> Sequence[Sample]:
    """All samples of a process's /metrics."""
    response = httpx.get(f"http://{LOOPBACK}:{port}/metrics", timeout=PROBE_SECONDS, trust_env=False)
    families = text_string_to_metric_families(response.raise_for_status().text)
    return [sample for family in families for sample in family.samples]


def webhooks(gateway: Sequence[Sample]) -> Figures:
    """Webhooks by outcome, with their sum."""
    counts = _counted(gateway, "tidegate_webhooks_total", ("outcome",))
    return _figures({"received": sum(counts.values()), **counts})


def messages(samples: Iterable[Sample]) -> Figures:
    """Messages by stage and outcome."""
    return _figures(_counted(samples, "tidegate_messages_total", ("stage", "outcome")))


def models(inference: Iterable[Sample]) -> Figures:
    """By question: the version that serves and since when, and the share of answers that rules gave instead."""
    samples = list(inference)
    answers = _counted(samples, "tidegate_predictions_total", ("question", "fallback"))
    told: dict[str, list[str]] = {key.split()[0]: [] for key in sorted(answers)}
    for sample in samples:
        if sample.name == "tidegate_model_since_seconds":  # a model's registered name is its question's
            told.setdefault(sample.labels["model"], []).append(f"{sample.labels['alias']} {_since(sample)}")
    return {
        question: ", ".join((*sorted(serving), _fallback_share(answers, question)))
        for question, serving in told.items()
    }


def _since(sample: Sample) -> str:
    moment = time.strftime("%Y-%m-%d %H:%M", time.localtime(sample.value))
    return f"version {sample.labels['version']} since {moment}"


def _fallback_share(answers: Mapping[str, int], question: str) -> str:
    by_rules = answers.get(f"{question} true", 0)
    all_answers = by_rules + answers.get(f"{question} false", 0)
    return f"rules gave {by_rules / all_answers:.0%} of {all_answers} answers" if all_answers else "not asked yet"


def lag(
    services: Mapping[str, Sequence[Sample] | None], broker: Mapping[str, Mapping[Partition, int]] | None
) -> Figures:
    """Messages that each consumer group has not yet read: by its members' own account, of each partition they tell of.

    `services` are those that consume, None for one that does not answer. For other partitions the broker's figure
    stands, marked as the most it can be; without either, `UNKNOWN`.
    """
    own = _own_lag(sample for samples in services.values() if samples for sample in samples)
    known = broker or {}
    figures = {}
    for group in sorted({*own, *known}):
        untold = sum(count for at, count in known.get(group, {}).items() if at not in own.get(group, {}))
        figures[group] = f"{AT_MOST if untold else ''}{sum(own.get(group, {}).values()) + untold}"
    if broker is None:
        figures |= {_group(name): UNKNOWN for name, samples in services.items() if samples is None}
    return figures


def broker_lag(servers: str) -> dict[str, dict[Partition, int]]:
    """Offsets behind the committed one, by group and partition: no fewer than the messages that are to be read.

    Offsets count the markers that end transactions, too; a partition with nothing but markers to read has lag 0.
    """
    client = AdminClient({"bootstrap.servers": servers, "log_level": 0, "socket.timeout.ms": int(PROBE_SECONDS * 1000)})
    groups = client.list_consumer_groups(request_timeout=PROBE_SECONDS).result(PROBE_SECONDS)
    committed = {group.group_id: _committed(client, group.group_id) for group in groups.valid}
    ends = _ends(client, {at for offsets in committed.values() for at in offsets})
    return {group: _without_markers(servers, offsets, ends) for group, offsets in committed.items()}


def rows(database_url: str) -> Figures:
    """Rows of each table; the statistics' estimate of one that cannot be counted in time, and whether it is locked."""
    with ThreadPoolExecutor(max_workers=len(_TABLES)) as pool:
        counts = list(pool.map(lambda table: _rows(database_url, table), _TABLES))
    return {table: count for table, count in zip(_TABLES, counts, strict=True) if count is not None}


def _rows(database_url: str, table: str) -> str | None:
    """None when there is no such table yet."""
    milliseconds = int(PROBE_SECONDS * 1000)
    options = f"-c statement_timeout={milliseconds} -c lock_timeout={int(_LOCK_SECONDS * 1000)}"
    with psycopg.connect(
        database_url, connect_timeout=int(PROBE_SECONDS), options=options, autocommit=True
    ) as connection:
        known = connection.execute("SELECT reltuples FROM pg_class WHERE oid = to_regclass(%s)", [f"tidegate.{table}"])
        if (estimate := known.fetchone()) is None:
            return None
        about = f"{ABOUT}{estimate[0]:.0f}" if estimate[0] >= 0 else UNKNOWN  # -1: never analysed
        try:
            query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier("tidegate", table))
            return str(*connection.execute(query).fetchone() or (UNKNOWN,))
        except psycopg.errors.LockNotAvailable:
            return f"{about} (locked)"
        except psycopg.errors.QueryCanceled:
            return about


def _counted(samples: Iterable[Sample], name: str, labels: Sequence[str]) -> dict[str, int]:
    """One counter, summed by these labels."""
    counts: dict[str, int] = {}
    for sample in samples:
        if sample.name == name:
            key = " ".join(sample.labels.get(label, "") for label in labels)
            counts[key] = counts.get(key, 0) + int(sample.value)
    return counts


def _figures(counts: Mapping[str, int]) -> Figures:
    return {name: str(count) for name, count in counts.items()}


def _group(program: str) -> str:
    return program.split("-", maxsplit=1)[0]


def _own_lag(samples: Iterable[Sample]) -> dict[str, dict[Partition, int]]:
    lags: dict[str, dict[Partition, int]] = {}
    for sample in samples:
        if sample.name == "tidegate_consumer_lag":
            of_group = lags.setdefault(sample.labels["group"], {})
            at = (sample.labels["topic"], int(sample.labels["partition"]))
            of_group[at] = max(of_group.get(at, 0), int(sample.value))  # in a rebalance two members may tell of it
    return lags


def _committed(client: AdminClient, group: str) -> dict[Partition, int]:
    request = [ConsumerGroupTopicPartitions(group)]
    (future,) = client.list_consumer_group_offsets(request, request_timeout=PROBE_SECONDS).values()
    partitions = future.result(PROBE_SECONDS).topic_partitions
    return {(p.topic, p.partition): p.offset for p in partitions if p.offset >= 0}


def _ends(client: AdminClient, partitions: set[Partition]) -> dict[Partition, int]:
    if not partitions:
        return {}
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    asked_for = {TopicPartition(*at): latest for at in partitions}
    answers = client.list_offsets(asked_for, request_timeout=PROBE_SECONDS)
    return {(p.topic, p.partition): future.result(PROBE_SECONDS).offset for p, future in answers.items()}


def _without_markers(
    servers: str, committed: Mapping[Partition, int], ends: Mapping[Partition, int]
) -> dict[Partition, int]:
    behind = {at: max(0, ends[at] - offset) for at, offset in committed.items()}
    empty = _nothing_to_read(servers, {at: committed[at] for at, count in behind.items() if count})
    return {at: 0 if at in empty else count for at, count in behind.items()}


def _nothing_to_read(servers: str, offsets: Mapping[Partition, int]) -> set[Partition]:
    """Those of the partitions that hold no committed message from this offset on."""
    if not offsets:
        return set()
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "log_level": 0,
            "group.id": "tidegate-status",  # asked for by librdkafka; never joined, never committed to
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "fetch.wait.max.ms": 10,
        }
    )
    try:
        consumer.assign([TopicPartition(*at, offset) for at, offset in offsets.items()])
        return _at_their_end(consumer, set(offsets))
    finally:
        consumer.close()


def _at_their_end(consumer: Consumer, partitions: set[Partition]) -> set[Partition]:
    """The partitions whose end comes before any message; one that tells neither in time is not among them."""
    waiting, ended = set(partitions), set()
    deadline = time.monotonic() + PROBE_SECONDS
    while waiting and time.monotonic() < deadline:
        message = consumer.poll(0.1)
        if message is None:
            continue
        at = (message.topic() or "", message.partition() or 0)
        error = message.error()
        if error is None:
            waiting.discard(at)
        elif error.code() == KafkaError._PARTITION_EOF and at in waiting:  # noqa: SLF001 -- its only name
            waiting.discard(at)
            ended.add(at)
    return ended
