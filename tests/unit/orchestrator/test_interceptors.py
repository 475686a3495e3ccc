"""Steps run under the ids of their event, are timed, and tell nothing of an event's values when they fail."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from services.orchestrator.adapters.correlation import outgoing_headers
from services.orchestrator.adapters.interceptors import StepInterceptor, from_payloads, to_payloads
from services.runtime.clock import FrozenClock
from services.runtime.headers import EVENT_ID, RECEIPT_ID
from services.runtime.metrics import histogram
from tests.fakes.payments import RECEIPT
from workflows.errors import StorageUnavailableError

HEADERS = {
    EVENT_ID: "stripe:evt_1",
    RECEIPT_ID: RECEIPT,
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
}


class Inner(ActivityInboundInterceptor):
    """What the interceptor stands before: runs the step."""

    def __init__(self) -> None:
        """It is the last one."""

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - theirs
        return await input.fn(*input.args)


async def run(step: Any, *arguments: Any) -> Any:
    """Run a step as a worker does, under HEADERS."""
    interceptor = StepInterceptor(FrozenClock(datetime(2026, 11, 23, tzinfo=UTC)), ended=lambda _: None)
    chain = interceptor.intercept_activity(Inner())
    call = ExecuteActivityInput(fn=step, args=arguments, executor=None, headers=to_payloads(HEADERS))
    return await ActivityEnvironment().run(chain.execute_activity, call)


def test_headers_survive_the_way_through_temporal() -> None:
    assert from_payloads(to_payloads(HEADERS)) == HEADERS


async def test_a_step_calls_others_under_the_ids_and_trace_of_its_event() -> None:
    async def step() -> dict[str, str]:
        return outgoing_headers()

    seen = await run(step)
    assert (seen[EVENT_ID], seen[RECEIPT_ID]) == ("stripe:evt_1", RECEIPT)
    assert seen["traceparent"].split("-")[1] == HEADERS["traceparent"].split("-")[1]
    assert EVENT_ID not in outgoing_headers()


async def test_a_steps_log_lines_carry_the_ids() -> None:
    async def step() -> dict[str, Any]:
        return structlog.contextvars.get_contextvars()

    assert await run(step) == {"event_id": "stripe:evt_1", "receipt_id": RECEIPT}


async def test_a_failure_that_a_step_knows_goes_on_as_it_is() -> None:
    async def step() -> None:
        raise StorageUnavailableError("PostgreSQL gave no connection within 3 s")

    with pytest.raises(StorageUnavailableError, match="no connection"):
        await run(step)


async def test_a_defect_goes_on_without_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    async def step(customer: str) -> None:
        raise ValueError(f"cannot handle {customer}")

    with pytest.raises(ApplicationError) as raised:
        await run(step, "cus_ada")
    assert raised.value.type == "ValueError"
    assert "cus_ada" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__
    assert "test_interceptors.py" in str(raised.value)
    assert "cus_ada" not in capsys.readouterr().out


async def test_each_step_is_timed_by_outcome() -> None:
    clock = FrozenClock(datetime(2026, 11, 23, tzinfo=UTC))

    async def step() -> None:
        clock.advance(timedelta(seconds=2))

    chain = StepInterceptor(clock, ended=lambda _: None).intercept_activity(Inner())
    call = ExecuteActivityInput(fn=step, args=[], executor=None, headers={})
    environment = ActivityEnvironment()
    metric = histogram("tidegate_step_duration_seconds").labels(environment.info.activity_type, "done")
    before = metric._sum.get()
    await environment.run(chain.execute_activity, call)
    assert metric._sum.get() == before + 2
