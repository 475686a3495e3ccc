"""Models in inference as a process, on a real MLflow and Valkey: promotions under load, and neighbours that go away."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
import pytest
from confluent_kafka import Consumer, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from google.protobuf.timestamp_pb2 import Timestamp
from mlflow import MlflowClient
from tidegate.inference.v1.fraud_service_pb2 import ScoreRequest, ScoreResponse
from tidegate.inference.v1.fraud_service_pb2_grpc import FraudServiceStub
from tidegate.inference.v1.payment_context_pb2 import (
    FALLBACK_CAUSE_FEATURES_UNAVAILABLE,
    FALLBACK_CAUSE_NO_MODEL,
    FALLBACK_CAUSE_UNSPECIFIED,
    PaymentContext,
)
from tidegate.inference.v1.prediction_logged_pb2 import PredictionLogged
from tidegate.ingress.v1.receipt_pb2 import PROVIDER_STRIPE

from mlops.registry.ports import CHALLENGER, CHAMPION
from mlops.registry.store import Registry, Training
from services.inference.adapters.prediction_topic import TOPIC
from tests.engines import Engines
from tests.fakes import models
from tests.fakes.proxy import Proxy
from tests.integration.inference_process import Inference, started

pytestmark = pytest.mark.timeout(600)

NAME = "fraud"
LIVE_SECONDS = 10
DEADLINE_SECONDS = 1.0
# What each version says of every payment: an answer that mixes two shows it.
SAYS = {"1": 0.1, "2": 0.9, "3": 0.5}


class Shop:
    """Versions in the registry, under the one name that inference asks for."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.registry = Registry(url)
        self._folder = folder
        self._numbers: dict[str, str] = {}

    def add(self, label: str, *, spoilt: bool = False) -> None:
        folder = models.folder(self._folder / label, always=SAYS[label], seed=int(label))
        if spoilt:
            (folder / "booster.txt").write_text("no tree")
        training = Training(NAME, folder, self._beside(), {}, {"rounds": "10"}, {"brier": 0.1}, {})
        version = self.registry.register(training, self.registry.log(training, started_ms=1_000))
        self._numbers[label] = version.number

    def promote(self, label: str, alias: str = CHAMPION) -> None:
        self.registry.point(NAME, alias, self._numbers[label])

    def label_of(self, number: str) -> str:
        return next(label for label, own in self._numbers.items() if own == number)

    def _beside(self) -> Path:
        beside = self._folder / "beside"
        beside.mkdir(exist_ok=True)
        (beside / "card.md").write_text("A toy.")
        return beside


@pytest.fixture
def shop(mlflow: str, tmp_path: Path) -> Iterator[Shop]:
    made = Shop(mlflow, tmp_path)
    made.add("1")
    made.promote("1")
    yield made
    MlflowClient(mlflow).delete_registered_model(NAME)


class Caller:
    """Asks for scores as the orchestrator does."""

    def __init__(self, inference: Inference, stub: FraudServiceStub) -> None:
        self.inference = inference
        self._stub = stub
        self._asked = 0

    async def ask(self) -> ScoreResponse:
        self._asked += 1
        at = Timestamp()
        at.GetCurrentTime()
        payment = PaymentContext(
            payment_id=f"stripe:pi_{self._asked}",
            event_id=f"stripe:evt_{self._asked}",
            event_type="payment.succeeded",
            merchant_id="acct_shop",
            customer_id="cus_ada",
            card_fingerprint="fp_ada",
            amount_cents=2000,
            currency="USD",
            provider=PROVIDER_STRIPE,
            occurred_at=at,
        )
        call: Any = self._stub.Score  # typed for a channel that blocks
        answer: ScoreResponse = await call(ScoreRequest(payment=payment), timeout=DEADLINE_SECONDS)
        return answer

    async def until(self, condition: Callable[[ScoreResponse], bool], seconds: float = LIVE_SECONDS) -> float:
        """Ask until an answer is so; return how long it took."""
        began = time.monotonic()
        while not condition(answer := await self.ask()):
            assert time.monotonic() - began < seconds, f"still {answer}"
            await asyncio.sleep(0.02)
        return time.monotonic() - began


@asynccontextmanager
async def serving(
    folder: Path, mlflow_url: str, redis_url: str, *, expected_errors: Collection[str] = (), **more: str
) -> AsyncIterator[Caller]:
    kept = folder / "kept"
    with started(
        folder,
        ca=None,
        expected_errors=expected_errors,
        TIDEGATE_MLFLOW_URL=mlflow_url,
        TIDEGATE_REDIS_URL=redis_url,
        TIDEGATE_INFERENCE_MODEL_FOLDER=str(kept),
        TIDEGATE_INFERENCE_MODEL_POLL_SECONDS="1",
        **more,
    ) as inference:
        async with grpc.aio.insecure_channel(inference.address) as channel:
            yield Caller(inference, FraudServiceStub(channel))


def by_model(answer: ScoreResponse) -> bool:
    return not answer.provenance.fallback


def proxy_of(url: str) -> Proxy:
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return Proxy(parts.hostname, parts.port)


async def test_a_promotion_under_load_fails_and_mixes_no_answer(shop: Shop, valkey: str, tmp_path: Path) -> None:
    async with serving(tmp_path, shop.url, valkey) as caller:
        await caller.until(by_model)
        answers: list[ScoreResponse] = []
        stop = asyncio.Event()

        async def load() -> None:
            while not stop.is_set():
                answers.append(await caller.ask())

        callers = [asyncio.create_task(load()) for _ in range(4)]
        await asyncio.to_thread(shop.add, "2")
        await asyncio.to_thread(shop.promote, "2")
        await caller.until(lambda answer: answer.fraud_probability == pytest.approx(SAYS["2"]))
        stop.set()
        await asyncio.gather(*callers)
    said = {(shop.label_of(each.provenance.model_version), round(each.fraud_probability, 6)) for each in answers}
    assert said == {("1", SAYS["1"]), ("2", SAYS["2"])}
    assert not any(each.provenance.fallback for each in answers)


async def test_a_broken_artifact_keeps_the_old_version_serving_and_is_told(
    shop: Shop, valkey: str, tmp_path: Path, expected_errors: set[str]
) -> None:
    expected_errors.add("model.refused")
    async with serving(tmp_path, shop.url, valkey, expected_errors=expected_errors) as caller:
        await caller.until(by_model)
        await asyncio.to_thread(shop.add, "2", spoilt=True)
        await asyncio.to_thread(shop.promote, "2")
        began = time.monotonic()
        while not caller.inference.metric("tidegate_model_refused", alias="champion"):
            assert time.monotonic() - began < LIVE_SECONDS
            await asyncio.sleep(0.1)
        assert (await caller.ask()).fraud_probability == pytest.approx(SAYS["1"])
        assert caller.inference.ready()


@pytest.mark.parametrize("silent", [False, True], ids=["cut", "silent"])
async def test_without_the_online_store_answers_are_flagged_fallbacks_and_come_back(
    shop: Shop, valkey: str, tmp_path: Path, *, silent: bool
) -> None:
    async with proxy_of(valkey) as proxy, serving(tmp_path, shop.url, proxy.instead_of(valkey)) as caller:
        await caller.until(by_model)
        if silent:
            proxy.silence()
        else:
            await proxy.cut()
        answer = await caller.ask()  # an answer that comes later than its deadline raises
        assert answer.provenance.fallback_cause == FALLBACK_CAUSE_FEATURES_UNAVAILABLE
        assert answer.provenance.model_name == "fraud-rules"
        if not silent:  # a silent store takes new connections
            await caller.until(lambda _: "Valkey does not answer" in caller.inference.remarks())
            assert caller.inference.ready()
            await proxy.open()
        await caller.until(by_model)
        assert "Valkey" not in caller.inference.remarks()


async def test_without_the_registry_what_served_goes_on_serving_over_a_restart_too(
    shop: Shop, valkey: str, tmp_path: Path
) -> None:
    async with proxy_of(shop.url) as proxy:
        address = proxy.instead_of(shop.url)
        async with serving(tmp_path, address, valkey) as caller:
            await caller.until(by_model)
            await proxy.cut()
            await asyncio.sleep(2.5)
            assert (await caller.ask()).fraud_probability == pytest.approx(SAYS["1"])
        async with serving(tmp_path, address, valkey) as caller:
            first = await caller.ask()
            assert (first.provenance.fallback_cause, first.provenance.model_alias) == (
                FALLBACK_CAUSE_UNSPECIFIED,
                "champion",
            )
            await asyncio.to_thread(shop.add, "3")
            await asyncio.to_thread(shop.promote, "3")
            await proxy.open()
            await caller.until(lambda answer: answer.fraud_probability == pytest.approx(SAYS["3"]), seconds=30)


async def test_an_alias_taken_away_leaves_rules_that_say_so(shop: Shop, valkey: str, tmp_path: Path) -> None:
    async with serving(tmp_path, shop.url, valkey) as caller:
        await caller.until(by_model)
        await asyncio.to_thread(shop.registry.unpoint, NAME, CHAMPION)
        await caller.until(lambda answer: answer.provenance.fallback_cause == FALLBACK_CAUSE_NO_MODEL)


async def test_the_challenger_is_logged_in_shadow_and_answers_nobody(
    shop: Shop, valkey: str, engines: Engines, tmp_path: Path, unique_name: Callable[[str], str]
) -> None:
    await asyncio.to_thread(shop.add, "2")
    await asyncio.to_thread(shop.promote, "2", CHALLENGER)
    ensure_topic(engines)
    addresses = {
        "TIDEGATE_KAFKA_BOOTSTRAP_SERVERS": engines.kafka_bootstrap_servers,
        "TIDEGATE_SCHEMA_REGISTRY_URL": engines.schema_registry_url,
    }
    async with serving(tmp_path, shop.url, valkey, **addresses) as caller:
        await caller.until(by_model)
        since = "tidegate_model_since_seconds"
        while not caller.inference.metric(since, alias="challenger"):  # noqa: ASYNC110 - a metric has no event
            await asyncio.sleep(0.1)
        answer = await caller.ask()
    assert answer.fraud_probability == pytest.approx(SAYS["1"])
    logged = await asyncio.to_thread(logged_of, engines, answer, unique_name("readers"))
    assert {(each.shadow, round(each.score, 6)) for each in logged} == {(False, SAYS["1"]), (True, SAYS["2"])}


def ensure_topic(engines: Engines) -> None:
    admin = AdminClient({"bootstrap.servers": engines.kafka_bootstrap_servers})
    for made in admin.create_topics([NewTopic(TOPIC, 1, 1)]).values():
        try:
            made.result()
        except KafkaException as error:
            assert error.args[0].name() == "TOPIC_ALREADY_EXISTS"  # noqa: PT017 - anything else is a failure


def logged_of(engines: Engines, answer: ScoreResponse, group: str) -> list[PredictionLogged]:
    """What the log says of the answer with this moment, the process having ended: so all of it is there."""
    reader = Consumer(
        {
            "bootstrap.servers": engines.kafka_bootstrap_servers,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": False,
        }
    )
    reader.subscribe([TOPIC])
    found: list[PredictionLogged] = []
    until = time.monotonic() + 30
    while len(found) < 2 and time.monotonic() < until:
        for message in reader.consume(100, timeout=0.5):
            assert message.error() is None
            # Magic byte, schema id, and 0 for the first message of its file.
            value = message.value()
            assert value is not None
            logged = PredictionLogged.FromString(value[6:])
            if logged.predicted_at == answer.provenance.predicted_at:
                found.append(logged)
    reader.close()
    return found
