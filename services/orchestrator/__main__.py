"""The orchestrator's process: `python -m services.orchestrator`."""

import asyncio
import logging
import os
import sys
from collections.abc import Callable

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from services.orchestrator.service import Orchestrator, Settings, Topics
from services.orchestrator.settings import (
    DatabaseSettings,
    InferenceSettings,
    OrchestratorSettings,
    TemporalSettings,
)
from services.runtime.clock import SystemClock
from services.runtime.grpc_server import error_frames
from services.runtime.lifecycle import run_until_signalled, start_telemetry
from services.runtime.probes import ProbeServer
from services.runtime.registry import RegistrySchemaIds
from services.runtime.serde import SchemaIds
from services.runtime.settings import KafkaSettings, ProcessSettings, RegistrySettings, read_settings
from services.runtime.telemetry import logger

log = logger(__name__)


def main() -> int:
    """Run the process on the platform's topics."""
    registry = read_settings(RegistrySettings)
    return run(Topics(), lambda: RegistrySchemaIds(registry))


def run(topics: Topics, schema_ids: Callable[[], SchemaIds]) -> int:
    """Run until SIGTERM or SIGINT; the exit code."""
    process = read_settings(ProcessSettings)
    settings = Settings(
        orchestrator=read_settings(OrchestratorSettings),
        kafka=read_settings(KafkaSettings),
        temporal=read_settings(TemporalSettings),
        database=read_settings(DatabaseSettings),
        inference=read_settings(InferenceSettings),
        instance=process.instance,
    )
    start_telemetry("orchestrator", process)

    async def work(stopping: asyncio.Event) -> None:
        orchestrator = Orchestrator(settings, topics, schema_ids, SystemClock())
        probes = ProbeServer(process.metrics_host, process.metrics_port, orchestrator.missing)
        probes.start()
        try:
            await orchestrator.run(stopping)
        finally:
            await asyncio.to_thread(probes.stop)

    try:
        run_until_signalled(work)
    except Exception as error:  # noqa: BLE001 - the edge; a text may repeat values, so only kind and place are told
        log.error("process.failed", error=type(error).__name__, at=error_frames(error))  # noqa: TRY400
        return 1
    log.info("process.stopped")
    return 0


def leave(code: int) -> None:
    """End without tearing the interpreter down: the Temporal SDK's threads can abort it then (exit code 134), after all
    work is done and everything is closed, and a supervisor would take that for a crash.
    """
    provider = trace.get_tracer_provider()
    if isinstance(provider, TracerProvider):
        provider.shutdown()  # sends the last spans
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    leave(main())
