"""The normalizer's process: `python -m services.normalizer`; after a flood, `python -m services.normalizer resume`."""

import signal
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

from services.normalizer.adapters.holds import GroupOffsets
from services.normalizer.adapters.kafka import BatchBounds, KafkaStream
from services.normalizer.adapters.transactions import TransactionalProducer
from services.normalizer.currencies import load_currencies
from services.normalizer.declines import load_decline_classes
from services.normalizer.handler import Normalizer
from services.normalizer.loop import Loop
from services.normalizer.mappings.stripe import DECLINE_CODES, MAPPINGS
from services.normalizer.mappings.stripe.amounts import UNITS
from services.normalizer.money import units
from services.normalizer.pipeline import Pipeline
from services.normalizer.ports import Stream, StreamHeldError
from services.normalizer.service import EXIT_FAILED, EXIT_STOPPED, serve
from services.normalizer.settings import NormalizerSettings
from services.normalizer.sources import LARGEST_MESSAGE_BYTES, MAX_MESSAGE_BYTES, TOPICS, Topics
from services.runtime.clock import SystemClock, SystemIds
from services.runtime.errors import NeighbourUnavailableError
from services.runtime.flood import FloodLimit
from services.runtime.lifecycle import start_telemetry
from services.runtime.probes import ProbeServer
from services.runtime.readiness import Readiness
from services.runtime.registry import RegistrySchemaIds
from services.runtime.serde import SchemaIds
from services.runtime.settings import KafkaSettings, ProcessSettings, RegistrySettings, read_settings
from services.runtime.telemetry import is_tracing, logger, tracer
from services.runtime.topic_limits import refuse_small_topics

_log = logger(__name__)


def main() -> int:
    """Run the process, or the command that lifts a hold."""
    if sys.argv[1:] == ["resume"]:
        return resume(TOPICS)
    if sys.argv[1:]:
        sys.stderr.write("usage: python -m services.normalizer [resume]\n")
        return EXIT_FAILED
    registry = read_settings(RegistrySettings)
    return run(TOPICS, lambda: RegistrySchemaIds(registry))


def run(topics: Topics, schema_ids: Callable[[], SchemaIds]) -> int:
    """Normalise what is on the topics until SIGTERM or SIGINT; the exit code."""
    process, kafka = read_settings(ProcessSettings), read_settings(KafkaSettings)
    settings = read_settings(NormalizerSettings)
    start_telemetry("normalizer", process)
    try:
        normalizer = stripe_normalizer(settings)
        flood = FloodLimit(settings.normalizer_flood_failures, settings.normalizer_flood_window)
    except (OSError, ValueError) as error:
        _log.error("process.failed", reason=str(error))
        return EXIT_FAILED
    stopping = _stop_on_signals()
    clock = SystemClock()
    readiness = Readiness(clock)
    probes = ProbeServer(process.metrics_host, process.metrics_port, readiness.check)
    probes.start()
    loop = Loop(topics.group, flood, clock, readiness, stopping)

    def connect() -> tuple[Stream, Pipeline]:
        config = kafka.client_config()
        _refuse_while_held(config, topics)
        refuse_small_topics(config, (topics.normalized, topics.failures), LARGEST_MESSAGE_BYTES)
        spans = tracer("normalizer") if is_tracing() else None
        pipeline = Pipeline(topics, schema_ids(), normalizer, spans)
        producer = TransactionalProducer(
            kafka.producer_config(),
            transactional_id=_transactional_id(topics, process),
            timeout_ms=settings.normalizer_transaction_timeout_ms,
            max_message_bytes=MAX_MESSAGE_BYTES,
            stopping=stopping,
        )
        producer.start()
        bounds = BatchBounds(settings.normalizer_batch_records, settings.normalizer_batch_linger_ms / 1000)
        return KafkaStream(config, topics, producer, bounds), pipeline

    try:
        return serve(connect, loop, readiness, stopping)
    finally:
        probes.stop()
        _log.info("process.stopped")


def resume(topics: Topics) -> int:
    """Lift the holds that a flood left. Every process must be waiting, as it does while a hold is on."""
    offsets = GroupOffsets(read_settings(KafkaSettings).client_config(), topics)
    try:
        lifted = offsets.lift()
    except NeighbourUnavailableError as error:
        sys.stderr.write(f"{error}. Are normalizers still reading? All of them stop within seconds of a flood.\n")
        return EXIT_FAILED
    finally:
        offsets.close()
    sys.stdout.write("\n".join(f"lifted: {line}" for line in lifted) or "nothing is on hold")
    sys.stdout.write("\n")
    return EXIT_STOPPED


def stripe_normalizer(settings: NormalizerSettings) -> Normalizer:
    """The pure part, with its tables read. Raises ValueError when the table of currencies is not in order."""
    currencies = load_currencies(settings.currencies_file)
    return Normalizer(MAPPINGS, units(currencies, UNITS), load_decline_classes(DECLINE_CODES))


def _refuse_while_held(config: Mapping[str, Any], topics: Topics) -> None:
    offsets = GroupOffsets(config, topics)
    try:
        if held := offsets.holds():
            raise StreamHeldError("; ".join(held))
    finally:
        offsets.close()


def _transactional_id(topics: Topics, process: ProcessSettings) -> str:
    """The name of this process where it has one of its own: coming back, it aborts at once what it left open.

    Without one an id that nobody else has, since two processes of one id would put each other out.
    """
    name = process.instance if "instance" in process.model_fields_set else SystemIds().new()
    return f"{topics.group}.{name}"


def _stop_on_signals() -> threading.Event:
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    return stopping


if __name__ == "__main__":
    sys.exit(main())
