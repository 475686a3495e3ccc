"""Puts rule tables, models, features and log together into the desk that answers."""

import asyncio
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Final

from services.inference.adapters.desk import Desk
from services.inference.adapters.lightgbm_model import LightGbmModel
from services.inference.adapters.mlflow_registry import MlflowRegistry
from services.inference.adapters.model_shelf import ModelShelf
from services.inference.adapters.online_store import OnlineStore
from services.inference.adapters.prediction_topic import PredictionTopic
from services.inference.breaker import Breaker
from services.inference.handler import Handler
from services.inference.journal import Journal
from services.inference.model_store import ModelStore, VersionId
from services.inference.predictors.models.port import ModelPort
from services.inference.recovery_values import read_recovery_values
from services.inference.serving import Alias, Models, Serving, serving_by
from services.inference.settings import InferenceSettings
from services.inference.tables import RuleTables
from services.runtime.clock import Clock
from services.runtime.settings import KafkaSettings, RegistrySettings, read_settings

_STORE_REST_SECONDS: Final = 0.5
_MLFLOW_TIMEOUT_SECONDS: Final = 10.0
_LOG_CLOSE_SECONDS: Final = 3.0
_STORE_AWAY: Final = "Valkey does not answer: rules answer what models need its features for"


def rules_handler(tables: RuleTables) -> Handler:
    """A handler that answers every question by rules."""
    return serving_by(tables)({}).handler


def load_model(folder: Path, version: VersionId, alias: Alias) -> ModelPort:
    """The model in a folder; ArtifactError where it is none."""
    return LightGbmModel(folder, name=version.name, version=version.version, alias=alias)


class Backing:
    """What stands behind the servers. Rules answer from the start; what else there is comes with `start`."""

    def __init__(self, settings: InferenceSettings, tables: RuleTables, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._serving_of = serving_by(tables, read_recovery_values(settings.recovery_values_file))
        self.serving: Serving = self._serving_of({})
        self.desk = Desk(lambda: self.serving, clock)
        self._models: ModelStore | None = None
        self._store: Breaker | None = None

    @property
    def remarks(self) -> list[str]:
        """What is not as it should be, and keeps nobody from being answered."""
        models = [] if self._models is None else self._models.remarks
        return [*models, _STORE_AWAY] if self._store is not None and self._store.is_open else models

    async def start(self, closing: AsyncExitStack) -> None:
        """Connect what the settings name, on the running loop; `closing` undoes it. None of it need be there yet."""
        if self._settings.redis_url is not None:
            breaker = Breaker(
                self._clock, failures=self._settings.inference_feature_failures, rest_seconds=_STORE_REST_SECONDS
            )
            seconds = self._settings.inference_feature_timeout_ms / 1000
            store = OnlineStore(self._settings.redis_url.get_secret_value(), breaker, timeout_seconds=seconds)
            closing.push_async_callback(store.close)
            self.desk.reader, self._store = store, breaker
        if self._settings.kafka_bootstrap_servers is not None and self._settings.schema_registry_url is not None:
            await self._start_journal(closing)
        if self._settings.mlflow_url is not None:
            await self._start_models(self._settings.mlflow_url, closing)

    async def _start_journal(self, closing: AsyncExitStack) -> None:
        topic = PredictionTopic(read_settings(KafkaSettings), read_settings(RegistrySettings), self._clock)
        closing.push_async_callback(topic.close, _LOG_CLOSE_SECONDS)
        journal = Journal(topic)
        closing.push_async_callback(_drained, journal)
        closing.push_async_callback(_ended, asyncio.create_task(journal.run()))
        self.desk.journal = journal

    async def _start_models(self, url: str, closing: AsyncExitStack) -> None:
        registry = MlflowRegistry(url, auth=self._settings.mlflow_credentials, timeout_seconds=_MLFLOW_TIMEOUT_SECONDS)
        closing.callback(registry.close)
        self._models = ModelStore(
            registry,
            ModelShelf(self._settings.inference_model_folder),
            load_model,
            self._clock,
            self._swap,
            interval_seconds=self._settings.inference_model_poll_seconds,
        )
        await asyncio.to_thread(self._models.restore)
        closing.push_async_callback(_ended, asyncio.create_task(self._models.watch()))

    def _swap(self, models: Models) -> None:
        """One assignment: a call has either what was before or what comes after."""
        self.serving = self._serving_of(models)


async def _drained(journal: Journal) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_LOG_CLOSE_SECONDS):
            await journal.drain()


async def _ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
