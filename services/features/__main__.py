"""The feature stream's process: `python -m services.features`, as many as there are partitions to share."""

import signal
import sys
import threading
from collections.abc import Callable

from mlops.features.online_layout import PROJECT
from services.features.adapters.kafka import KafkaStream
from services.features.adapters.valkey import ValkeyStore
from services.features.decoding import Decoder
from services.features.loop import Loop
from services.features.ports import Stream
from services.features.service import serve
from services.features.settings import FeaturesSettings
from services.features.sources import TOPICS, Topics
from services.runtime.clock import SystemClock
from services.runtime.flood import FloodLimit
from services.runtime.lifecycle import start_telemetry
from services.runtime.probes import ProbeServer
from services.runtime.readiness import Readiness
from services.runtime.registry import RegistrySchemaIds
from services.runtime.serde import SchemaIds
from services.runtime.settings import KafkaSettings, ProcessSettings, RegistrySettings, read_settings
from services.runtime.telemetry import logger

_log = logger(__name__)


def main() -> int:
    """Run the process."""
    registry = read_settings(RegistrySettings)
    return run(TOPICS, lambda: RegistrySchemaIds(registry))


def run(topics: Topics, schema_ids: Callable[[], SchemaIds], project: str = PROJECT) -> int:
    """Keep features in step with the topics until SIGTERM or SIGINT; the exit code."""
    process, kafka = read_settings(ProcessSettings), read_settings(KafkaSettings)
    settings = read_settings(FeaturesSettings)
    start_telemetry("features", process)
    clock, stopping = SystemClock(), _stop_on_signals()
    try:
        flood = FloodLimit(settings.features_flood_failures, settings.features_flood_window)
        store = ValkeyStore(settings.redis_url.get_secret_value(), clock, group=topics.group, project=project)
    except ValueError as error:
        _log.error("process.failed", reason=str(error))
        return 1
    readiness = Readiness(clock)
    probes = ProbeServer(process.metrics_host, process.metrics_port, readiness.check)
    probes.start()
    loop = Loop(topics.group, store, flood, clock, readiness, stopping)

    def connect() -> tuple[Stream, Decoder]:
        decoder = Decoder(topics, schema_ids())
        return KafkaStream(kafka.client_config(), topics, settings.features_batch_records), decoder

    try:
        serve(connect, loop, readiness, stopping)
    finally:
        store.close()
        probes.stop()
        _log.info("process.stopped")
    return 0


def _stop_on_signals() -> threading.Event:
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    return stopping


if __name__ == "__main__":
    sys.exit(main())
