"""Records what the workflows do now, for replay: `python -m tests.integration.record_histories [scenario …]`.

Only for a course that no saved history covers, or when no run of an old one can be open any more: a workflow that does
not replay a saved history breaks the runs that took that course.
"""

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from services.orchestrator.adapters.interceptors import StepInterceptor
from services.orchestrator.adapters.temporal import worker
from services.runtime.clock import SystemClock
from stack.home import REPOSITORY_ROOT
from tests.fakes.workflow_scenarios import SCENARIOS
from tests.integration.temporal_server import skipping_time

HISTORIES = Path(REPOSITORY_ROOT) / "tests" / "unit" / "workflows" / "histories"


async def record(names: Sequence[str]) -> None:
    """Run the scenarios and save their histories."""
    async with skipping_time() as temporal:
        for name in names:
            scenario = SCENARIOS[name]()
            interceptor = StepInterceptor(SystemClock(), ended=lambda _: None)
            async with worker(temporal.client, scenario.activities, interceptor, in_flight=10, task_queue=name):
                handle = await temporal.client.start_workflow(
                    scenario.workflow, scenario.order, id=name, task_queue=name, request_eager_start=True
                )
                await handle.result()
                history = await handle.fetch_history()
            text = json.dumps(_without_places(history.to_json_dict()), indent=1, sort_keys=True)
            (HISTORIES / f"{name}.json").write_text(text + "\n")
            sys.stdout.write(f"{name}: {len(history.events)} events\n")


def _without_places(value: Any) -> Any:
    """Without stack traces and identities: they name the machine that recorded, and replay does not look at them."""
    if isinstance(value, dict):
        return {key: _without_places(item) for key, item in value.items() if key not in {"stackTrace", "identity"}}
    if isinstance(value, list):
        return [_without_places(item) for item in value]
    return value


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1:] or list(SCENARIOS)))
