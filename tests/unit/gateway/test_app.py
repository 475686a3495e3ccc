"""The pages around the endpoint: documentation, probes and metrics."""

from collections.abc import AsyncIterator

import pytest_asyncio

from services.gateway import connection, webhook
from services.gateway.webhook import Answer
from tests.unit.gateway.events import event
from tests.unit.gateway.gateways import Rig, gateway


@pytest_asyncio.fixture
async def rig() -> AsyncIterator[Rig]:
    async with gateway() as made:
        yield made


async def test_the_documentation_describes_the_webhook_endpoint_with_all_its_answers(rig: Rig) -> None:
    assert (await rig.client.get("/docs")).status_code == 200
    endpoint = (await rig.client.get("/openapi.json")).json()["paths"]["/webhooks/stripe"]["post"]
    given = {answer.status for answer in vars(webhook).values() if isinstance(answer, Answer)}
    refused = {status for status, _ in connection.ANSWERS.values()}
    assert set(endpoint["responses"]) == {str(status) for status in {202, 401, 503} | given | refused}
    assert endpoint["parameters"][0]["name"] == "Stripe-Signature"


async def test_a_process_that_answers_is_healthy_even_when_it_is_not_ready() -> None:
    async with gateway(is_ready=False) as rig:
        assert (await rig.client.get("/healthz")).status_code == 200
        assert (await rig.client.get("/readyz")).status_code == 503


async def test_readiness_tells_what_is_missing_and_when_it_is_there_again(rig: Rig) -> None:
    assert (await rig.client.get("/readyz")).status_code == 200
    rig.broker.is_down = True
    await rig.inbox.check()
    missing = await rig.client.get("/readyz")
    assert (missing.status_code, "Kafka is unavailable" in missing.text) == (503, True)
    rig.broker.is_down = False
    await rig.inbox.check()
    assert (await rig.client.get("/readyz")).status_code == 200


async def test_a_stopping_process_is_not_ready(rig: Rig) -> None:
    rig.webhook.draining = True
    assert (await rig.client.get("/readyz")).status_code == 503


async def test_metrics_show_outcomes_durations_and_what_waits(rig: Rig) -> None:
    await rig.post(event())
    metrics = (await rig.client.get("/metrics")).text
    assert 'tidegate_webhooks_total{outcome="accepted",provider="stripe"}' in metrics
    assert 'tidegate_webhook_duration_seconds_count{provider="stripe"}' in metrics
    assert "tidegate_webhooks_in_flight 0.0" in metrics


async def test_other_paths_are_not_found(rig: Rig) -> None:
    assert (await rig.client.post("/webhooks/stripe/")).status_code == 404
    assert (await rig.client.get("/")).status_code == 404
