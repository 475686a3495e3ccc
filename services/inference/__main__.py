"""Runs inference: gRPC and JSON in one process, until told to stop."""

import asyncio
import gc
import sys
from contextlib import AsyncExitStack
from importlib.metadata import version

from pydantic import ValidationError

from services.inference.adapters import grpc as grpc_adapter
from services.inference.adapters.http import build_app
from services.inference.adapters.http_server import HttpServer
from services.inference.serving import QUESTIONS
from services.inference.settings import InferenceSettings
from services.inference.tables import RuleTableError, read_rule_tables
from services.inference.wiring import Backing
from services.runtime.clock import SystemClock
from services.runtime.grpc_server import GrpcServer, TlsFiles
from services.runtime.lifecycle import run_until_signalled, start_telemetry
from services.runtime.settings import ProcessSettings
from services.runtime.telemetry import logger

_log = logger(__name__)


class Process:
    """Both servers over one desk."""

    def __init__(self, settings: InferenceSettings) -> None:
        self._settings = settings
        self._tables = read_rule_tables(settings.network_rules_file, settings.decline_rules_file)
        clock = SystemClock()
        self._backing = Backing(settings, self._tables, clock)
        desk = self._backing.desk
        tls = _tls(settings)
        self._unready: str | None = "starting"
        self._grpc = GrpcServer(grpc_adapter.SERVICES, clock, tls)
        grpc_adapter.add_services(self._grpc.server, desk)
        contracts = version("tidegate-contracts")
        app = build_app(desk, clock, lambda: self._unready, contracts, lambda: self._backing.remarks)
        self._http = HttpServer(
            app, tls=tls if settings.json_speaks_tls else None, grace_seconds=settings.inference_grace_seconds
        )

    async def serve(self, stopping: asyncio.Event) -> None:
        """Serve until the event is set, then stop: first say so, then finish what is in flight."""
        async with AsyncExitStack() as closing:
            await self._backing.start(closing)
            await self._serve(stopping)

    async def _serve(self, stopping: asyncio.Event) -> None:
        grpc_adapter.compile_contracts()
        # JSON first: it is bound at once or not at all, and gRPC reports healthy as soon as it listens.
        http_port = self._http.start(*self._settings.http_host_port)
        try:
            grpc_port = await self._grpc.start(self._settings.grpc_bind)
        except OSError:
            await self._http.stop()
            raise
        gc.freeze()  # what start made stays: the collector need not look through it in the middle of a call
        self._unready = None
        for question in QUESTIONS:
            if self._backing.serving.champion(question) is None:
                _log.warning("model.fallback", question=question, cause="no_model", tables=self._tables.version)
        _log.info(
            "process.started",
            grpc_port=grpc_port,
            http_port=http_port,
            tls=self._settings.inference_tls_cert is not None,
        )
        await stopping.wait()
        _log.info("process.stopping")
        self._unready = "stopping"
        await self._grpc.stop(
            drain_seconds=self._settings.inference_drain_seconds, grace_seconds=self._settings.inference_grace_seconds
        )
        await self._http.stop()
        _log.info("process.stopped")


def _tls(settings: InferenceSettings) -> TlsFiles | None:
    if settings.inference_tls_cert is None or settings.inference_tls_key is None:
        return None
    return TlsFiles(settings.inference_tls_cert, settings.inference_tls_key)


async def _run(settings: InferenceSettings, stopping: asyncio.Event) -> None:
    await Process(settings).serve(stopping)


def main() -> None:
    """Read the settings, run, and say in one line what is wrong where it cannot."""
    try:
        settings = InferenceSettings()
        start_telemetry("inference", ProcessSettings())
        run_until_signalled(lambda stopping: _run(settings, stopping))
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, fault['loc'])) or 'settings'}: {fault['msg']}" for fault in error.errors())
        sys.exit(f"inference cannot start: {'; '.join(faults)}")
    except (RuleTableError, OSError) as error:
        sys.exit(f"inference cannot start: {error}")


if __name__ == "__main__":
    main()
