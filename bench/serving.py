"""A model's answer against the bare pieces that it needs: a gRPC echo, an HMGET, and a LightGBM predict of one row.

Ours is `python -m services.inference` with a real Valkey and a model of 200 trees over the fraud model's features: one
FraudService.Score, checked, with the entities' states read in one round trip, features made as of the event, reasons
and provenance. The baseline does the three bare calls one after the other and adds their times: the echo hands bytes
back, the HMGET asks redis-py for the fields of one of the three entities, the booster predicts a row that is ready.
One call at a time from one client on uvloop, rounds of both in turn. `assess_p50_ms` is one RPC for all four questions,
answered by three models and the plan made of them.
"""

import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import grpc
import numpy as np
import uvloop
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from tidegate.inference.v1.assessment_service_pb2 import (
    QUESTION_CHURN,
    QUESTION_FRAUD,
    QUESTION_RECOVERY,
    QUESTION_RETRY,
    AssessmentItem,
    AssessRequest,
)
from tidegate.inference.v1.assessment_service_pb2_grpc import AssessmentServiceStub
from tidegate.inference.v1.fraud_service_pb2 import ScoreRequest
from tidegate.inference.v1.fraud_service_pb2_grpc import FraudServiceStub
from tidegate.inference.v1.payment_context_pb2 import PaymentContext, Provenance

from bench.inference import ECHO, assess_request, echo_server, inference_server
from bench.measure import Result, percentile
from bench.platform import started
from mlops.features.catalog import VIEW_OF, Entity
from mlops.features.facts import asked_fact, entity_keys
from mlops.features.online import NOTHING, STORED_FIELDS, Stored, advanced, fields
from mlops.features.online_layout import hash_key
from mlops.registry.artifact import TrainedModel
from mlops.training.churn.world_recipe import FEATURES as CHURN_FEATURES
from mlops.training.fraud.world_recipe import RECIPE
from services.inference.adapters.model_shelf import ModelShelf
from services.inference.model_store import VersionId
from services.inference.serving import CHAMPION, QUESTIONS, Alias, QuestionName
from services.runtime.clock import SystemClock
from tests.fakes.models import churn_folder, retry_folder, trained

_TREES: Final = 200
_QUESTIONS: Final = (QUESTION_FRAUD, QUESTION_RETRY, QUESTION_CHURN, QUESTION_RECOVERY)
_CALLS: Final = 200
_ROUNDS: Final = 25
_WARM_UP_ROUNDS: Final = 4
_EARLIER_PAYMENTS: Final = 40
_DAY_US: Final = 86_400_000_000
_NOBODY: Final = "http://127.0.0.1:9"
"""No registry: what its shelf holds is served."""

Call = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds of each call, by round."""

    ours: list[list[float]]
    baseline: list[list[float]]
    assess: list[float]

    def result(self, percent: int, bar: float) -> Result:
        """One percentile; the ratio is the median of the rounds' ratios."""
        rounds = [
            (percentile(a, percent), percentile(b, percent)) for a, b in zip(self.ours, self.baseline, strict=True)
        ]
        what = f"Score by a model of {_TREES} trees with features from Valkey: p{percent} against its bare pieces"
        return Result(
            f"serving_p{percent}",
            what,
            "ms",
            statistics.median(ours for ours, _ in rounds),
            statistics.median(baseline for _, baseline in rounds),
            statistics.median(ours / baseline for ours, baseline in rounds),
            bar,
            "lower",
            {f"assess_p{percent}_ms": percentile(self.assess, percent)},
        )


@dataclass(frozen=True, slots=True)
class Pieces:
    """Where the bare pieces are."""

    echo_address: str
    redis_url: str
    model: TrainedModel


def run() -> list[Result]:
    """Measure both in turn."""
    with started("--engines-only", "valkey") as platform, tempfile.TemporaryDirectory() as folder:
        url = platform.environment["TIDEGATE_REDIS_URL"]
        payment = assess_request().items[0].payment
        _write_features(url, payment)
        settings = {
            "TIDEGATE_REDIS_URL": url,
            "TIDEGATE_MLFLOW_URL": _NOBODY,
            "TIDEGATE_INFERENCE_MODEL_FOLDER": folder,
        }
        pieces = Pieces("", url, _shelved(Path(folder)))
        with echo_server() as echo_address, inference_server(settings) as address:
            times = uvloop.run(_measured(replace(pieces, echo_address=echo_address), address, payment))
    return [times.result(50, 1.5), times.result(99, 2.0)]


async def _measured(pieces: Pieces, address: str, payment: PaymentContext) -> Times:
    async with (
        grpc.aio.insecure_channel(pieces.echo_address) as echo_channel,
        grpc.aio.insecure_channel(address) as channel,
        AsyncRedis.from_url(pieces.redis_url) as redis,
    ):
        request = ScoreRequest(payment=payment)
        score = FraudServiceStub(channel).Score
        _is_the_models((await score(request)).provenance)

        async def ours() -> None:
            await score(request)

        everything = AssessRequest(items=[AssessmentItem(payment=payment, questions=_QUESTIONS)])
        assess = AssessmentServiceStub(channel).Assess
        (answered,) = (await assess(everything)).assessments
        for question in QUESTIONS:
            _is_the_models(getattr(answered, question).provenance)

        async def all_four() -> None:
            await assess(everything)

        baseline = _bare(echo_channel, redis, pieces.model, payment)
        for call in (ours, baseline, all_four) * _WARM_UP_ROUNDS:
            await _round(call)
        times = Times([], [], [])
        for _ in range(_ROUNDS):
            times.ours.append(await _round(ours))
            times.baseline.append(await _round(baseline))
            times.assess.extend(await _round(all_four))
        return times


def _bare(channel: grpc.aio.Channel, redis: AsyncRedis, model: TrainedModel, payment: PaymentContext) -> Call:
    """The three pieces, one after the other."""
    echo: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(ECHO)
    payload = ScoreRequest(payment=payment).SerializeToString()
    key = hash_key(VIEW_OF[Entity.CUSTOMER], entity_keys(asked_fact(payment, 0))[Entity.CUSTOMER])
    wanted = [field.decode() for field in STORED_FIELDS[Entity.CUSTOMER]]
    row = np.zeros((1, len(model.features)))

    async def bare() -> None:
        await echo(payload)
        await redis.hmget(key, wanted)
        model.booster.predict(row, num_threads=1)

    return bare


async def _round(call: Call) -> list[float]:
    times = []
    for _ in range(_CALLS):
        start = time.perf_counter()
        await call()
        times.append((time.perf_counter() - start) * 1e3)
    return times


def _is_the_models(made_by: Provenance) -> None:
    if made_by.fallback or any(use.missing for use in made_by.features):
        raise AssertionError(f"not answered by the model with its features: {made_by}")


def _write_features(url: str, payment: PaymentContext) -> None:
    """Give customer, card and merchant of the payment a past."""
    last = asked_fact(payment, 0)
    held: dict[Entity, Stored] = dict.fromkeys(Entity, NOTHING)
    for days in range(_EARLIER_PAYMENTS, 0, -1):
        at_us = last.occurred_at_us - days * _DAY_US
        # By its attempt's object too: forty events about one attempt would be a past of one.
        fact = replace(
            last,
            event_id=f"e{days}",
            payment_id=f"p{days}",
            attempt_id=f"ch_{days}",
            occurred_at_us=at_us,
            arrived_at_us=at_us,
        )
        held = {entity: advanced(stored, entity, fact) for entity, stored in held.items()}
    with Redis.from_url(url) as redis:
        for entity, key in entity_keys(last).items():
            state, moment_us = held[entity].state, held[entity].moment_us
            assert state is not None
            assert moment_us is not None
            pairs = fields(entity, state, moment_us, "bench")
            redis.hset(hash_key(VIEW_OF[entity], key), items=pairs)


def _shelved(folder: Path) -> TrainedModel:
    """Put models where inference finds what its registry named last; returns the one of fraud."""
    model = trained(features=RECIPE.features, trees=_TREES)
    savers: dict[QuestionName, Callable[[Path], object]] = {
        "fraud": model.save,
        "churn": lambda into: churn_folder(into, features=CHURN_FEATURES, trees=_TREES),
        "retry": lambda into: retry_folder(into, trees=_TREES),
    }
    shelf = ModelShelf(folder)
    versions = {name: VersionId(name, "1", "bench") for name in savers}
    for name, save in savers.items():
        shelf.folder_of(versions[name], lambda _, into, save=save: save(into))  # type: ignore[misc]  # bound here
    named: dict[tuple[QuestionName, Alias], VersionId] = {(name, CHAMPION): each for name, each in versions.items()}
    shelf.remember(named, SystemClock().now().timestamp())
    return model
