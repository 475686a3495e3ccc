"""A Temporal server of one test's own: the engine's binary, with time that skips what nobody waits for."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from temporalio.testing import WorkflowEnvironment

from services.orchestrator.adapters.interceptors import StartInterceptor
from services.orchestrator.adapters.temporal import PAYLOADS, logged_runtime

TEMPORAL = Path(sys.executable).with_name("temporal")


@asynccontextmanager
async def skipping_time() -> AsyncIterator[WorkflowEnvironment]:
    """A server in memory whose workflows skip timers and the backoff of regular activities."""
    environment = await WorkflowEnvironment.start_time_skipping_v2(
        dev_server_existing_path=str(TEMPORAL),
        dev_server_log_level="error",
        dev_server_extra_args=["--dynamic-config-value", "frontend.WorkflowTimeSkippingEnabled=true"],
        data_converter=PAYLOADS,
        interceptors=[StartInterceptor()],
        runtime=logged_runtime(),
        identity="test",
    )
    try:
        yield environment
    finally:
        await environment.shutdown()
