"""The whole platform as end-to-end tests use it: from outside, with nothing of its own but contracts."""

import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, LiteralString

import httpx
import psycopg
from confluent_kafka import Consumer, KafkaError, TopicPartition
from google.protobuf.message import Message
from tidegate.decisions.v1.payment_decision_pb2 import PaymentDecision
from tidegate.ingress.v1.rejected_webhook_pb2 import RejectedWebhook
from tidegate.ingress.v1.uncontracted_webhook_pb2 import UncontractedWebhook
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent
from tidegate.payments.v1.validation_failure_pb2 import ValidationFailure
from tidegate.stripe.v1.charge_pb2 import ChargeWebhook
from tidegate.stripe.v1.dispute_pb2 import DisputeWebhook
from tidegate.stripe.v1.payment_intent_pb2 import PaymentIntentWebhook
from tidegate.stripe.v1.refund_pb2 import RefundWebhook

from services.runtime.clock import SystemClock
from stack.home import REPOSITORY_ROOT, Home
from stack.processes import is_running
from tests.engines import STOP_SECONDS, stack_command

CONTRACTED: Final[Mapping[str, type[Message]]] = {
    "webhooks.stripe.payment_intent": PaymentIntentWebhook,
    "webhooks.stripe.charge": ChargeWebhook,
    "webhooks.stripe.refund": RefundWebhook,
    "webhooks.stripe.dispute": DisputeWebhook,
}
OTHER: Final = "webhooks.stripe.other"
DEAD: Final = "webhooks.dlq"
TOPICS: Final[Mapping[str, type[Message]]] = {
    **CONTRACTED,
    OTHER: UncontractedWebhook,
    DEAD: RejectedWebhook,
    "payments.normalized": UnifiedPaymentEvent,
    "payments.validation.dlq": ValidationFailure,
    "payments.decisions": PaymentDecision,
}

# Magic 0, four bytes of schema id, and a single 0 for the first message of its file.
_PREFIX_BYTES: Final = 6
_UP_SECONDS: Final = 900  # the first one downloads
_POLL_SECONDS: Final = 0.25


@dataclass(frozen=True, slots=True)
class Seen:
    """One message on a topic."""

    topic: str
    key: str
    headers: Mapping[str, str]
    message: Any


@dataclass(slots=True)
class Platform:
    """One running stack with all its services."""

    home: Path
    # Holds passwords, so it is not shown.
    env: Mapping[str, str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        lines = (self.home / "stack.env").read_text(encoding="utf-8").splitlines()
        self.env = dict(line.split("=", 1) for line in lines)

    @property
    def webhook_url(self) -> str:
        """Where Stripe would post."""
        return f"{self.env['TIDEGATE_GATEWAY_URL']}/webhooks/stripe"

    @property
    def default_merchant(self) -> str:
        """The merchant of events that name none."""
        return self.env["TIDEGATE_STRIPE_DEFAULT_MERCHANT_ID"]

    def signature(self, body: bytes, at: int | None = None, secret: str | None = None) -> str:
        """A Stripe-Signature by the scheme's own description."""
        moment = int(SystemClock().now().timestamp()) if at is None else at
        key = (secret or self.env["TIDEGATE_STRIPE_WEBHOOK_SECRET"].split(",")[0]).encode()
        digest = hmac.new(key, f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
        return f"t={moment},v1={digest}"

    def post(self, body: bytes, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """Post a body; signed for now unless other headers are given."""
        signed = {"Stripe-Signature": self.signature(body)} if headers is None else headers
        return httpx.post(self.webhook_url, content=body, headers=dict(signed), timeout=20, trust_env=False)

    def deliver(self, event: Mapping[str, Any]) -> httpx.Response:
        """Post an event, signed."""
        return self.post(json.dumps(event).encode())

    def query(self, sql: LiteralString, *parameters: Any) -> list[tuple[Any, ...]]:
        """Rows, as the reading role."""
        with psycopg.connect(self.env["TIDEGATE_DATABASE_URL"], connect_timeout=10) as connection:
            return list(connection.execute(sql, parameters or None))

    def read(self, topic: str) -> list[Seen]:
        """Every committed message of a topic, from its beginning to its present end."""
        return read_topic(self.env["TIDEGATE_KAFKA_BOOTSTRAP_SERVERS"], topic)

    def simulate(self, *arguments: str, report: Path, seconds: float = 300) -> tuple[int, dict[str, Any]]:
        """Run the simulator's command line against this platform: its exit code and its report."""
        done = subprocess.run(
            [sys.executable, "-m", "services.simulator", *arguments, "--report", str(report)],
            cwd=REPOSITORY_ROOT,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )
        if not report.exists():
            raise AssertionError(f"the simulator wrote no report:\n{done.stdout}")
        return done.returncode, json.loads(report.read_text(encoding="utf-8"))

    def environment(self) -> dict[str, str]:
        """Variables for a command that is to find this platform and no other."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("TIDEGATE_")}
        return {**clean, "TIDEGATE_HOME": str(self.home)}

    def kill(self, program: str) -> None:
        """Kill one program at once, kill -9; it must have been running."""
        record = Home(self.home).read_state().processes[program]
        if not is_running(record):
            raise AssertionError(f"{program} was not running: {self.home / 'logs' / program}.log")
        os.kill(record.pid, signal.SIGKILL)

    def repair(self, *programs: str) -> None:
        """Start what does not run, as an operator would."""
        done = stack_command(self.home, "up", *programs, timeout=_UP_SECONDS)
        if done.returncode:
            raise AssertionError(f"`stack up {' '.join(programs)}` failed:\n{done.stdout}")

    def stopped(self) -> list[str]:
        """Programs that were started and do not run."""
        records = Home(self.home).read_state().processes
        return sorted(name for name, record in records.items() if not is_running(record))


def start(home: Path) -> Platform:
    """Start engines and services in this home, as `make up` does; fails with the stack's own words."""
    done = stack_command(home, "up", timeout=_UP_SECONDS)
    if done.returncode:
        raise AssertionError(f"the platform did not start:\n{done.stdout}")
    return Platform(home)


def stop(home: Path) -> None:
    """Stop all of it, each process by its id."""
    stack_command(home, "down", timeout=STOP_SECONDS)


def read_topic(servers: str, topic: str) -> list[Seen]:
    """Every committed message of a topic up to its present end."""
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": "e2e-onlooker",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        }
    )
    try:
        partitions = list(consumer.list_topics(topic, timeout=20).topics[topic].partitions)
        consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
        return _to_the_end(consumer, topic, len(partitions))
    finally:
        consumer.close()


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Look until the condition holds; fails with what was waited for."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what}")
        time.sleep(_POLL_SECONDS)


def _to_the_end(consumer: Consumer, topic: str, partitions: int) -> list[Seen]:
    seen: list[Seen] = []
    ended = 0
    deadline = time.monotonic() + 30
    while ended < partitions:
        if time.monotonic() > deadline:
            raise AssertionError(f"{topic}: not at its end within 30 s")
        # It waits for the full number or the time, whichever comes first.
        for message in consumer.consume(500, 0.05):
            error = message.error()
            if error is None:
                seen.append(_seen(topic, message))
            elif error.code() == KafkaError._PARTITION_EOF:
                ended += 1
            else:
                raise AssertionError(f"{topic}: {error}")
    return seen


def _seen(topic: str, message: Any) -> Seen:
    value = TOPICS[topic].FromString(message.value()[_PREFIX_BYTES:])
    headers = {name: text.decode() for name, text in message.headers() or []}
    return Seen(topic, message.key().decode(), headers, value)


def event_ids(seen: Sequence[Seen]) -> list[str]:
    """The platform's event id of each message."""
    return [f"stripe:{one.message.event.id}" if one.topic in CONTRACTED else one.message.event_id for one in seen]
