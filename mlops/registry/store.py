"""The registry of models in MLflow: versions, aliases and the audit of their changes. mlflow-skinny is enough."""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mlops.registry.audit import AuditRecord
from mlops.registry.evidence import EVIDENCE_FILE, Evidence
from mlops.registry.ports import CHAMPION, RegistryError, UnknownVersionError, Version
from mlops.registry.profile import PROFILE_FILE, Profile
from mlops.registry.replays import REPLAY_FOLDER, Replayed

MODEL_FOLDER: Final = "model"
"""Where a run keeps the folder that serves (mlops/registry/artifact.py)."""

DIGEST_TAG: Final = "tidegate.digest"
JUDGED_AGAINST_TAG: Final = "tidegate.judged_against"
_AUDIT_TAG: Final = "tidegate.audit."
_AUDIT_EXPERIMENT: Final = "tidegate-audit"
_AUDIT_FILE: Final = "audit.jsonl"
_TRAINING_EXPERIMENT: Final = "tidegate-training"
# MLflow's own patience is minutes, and it talks on the terminal; whoever asks here wants to know now.
_MANNERS: Final = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
_PAGE: Final = 100


@dataclass(frozen=True, slots=True)
class Training:
    """What a training leaves in the registry. `folder` holds the artifact, `beside` what people read of it."""

    model: str
    folder: Path
    beside: Path
    version_tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]


class Registry:
    """MLflow's client with Tidegate's names. Every method raises RegistryError where the server is away or refuses."""

    def __init__(self, url: str) -> None:
        for name, value in _MANNERS.items():
            os.environ.setdefault(name, value)
        from mlflow import MlflowClient

        logging.getLogger("mlflow").setLevel(logging.WARNING)  # it tells the terminal that it may wait, and does not
        self.url = url
        self._client = MlflowClient(tracking_uri=url, registry_uri=url)

    def log(self, training: Training, started_ms: int) -> str:
        """Log a training as a run with its files; returns the run's id."""
        from mlflow.entities import Metric, Param, RunTag

        with self._asking("log a training"):
            run = self._client.create_run(self._experiment(_TRAINING_EXPERIMENT), started_ms, run_name=training.model)
            run_id: str = run.info.run_id
            self._client.log_batch(
                run_id,
                [Metric(name, value, started_ms, 0) for name, value in training.metrics.items()],
                [Param(name, value) for name, value in training.params.items()],
                [RunTag(name, value) for name, value in training.tags.items()],
            )
            self._client.log_artifacts(run_id, str(training.folder), MODEL_FOLDER)
            self._client.log_artifacts(run_id, str(training.beside))
            self._client.set_terminated(run_id)
        return run_id

    def register(self, training: Training, run_id: str) -> Version:
        """Make the run's artifact a new version of the model."""
        with self._asking(f"register a version of {training.model}"):
            self._ensure_model(training.model)
            source = f"{self._client.get_run(run_id).info.artifact_uri}/{MODEL_FOLDER}"
            made = self._client.create_model_version(training.model, source, run_id, tags=dict(training.version_tags))
            return self.version(training.model, made.version)

    def _ensure_model(self, model: str) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_registered_model(model)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def version(self, model: str, number: str) -> Version:
        """A version by its number; UnknownVersionError."""
        with self._asking(f"find {model} version {number}"):
            return self._read(self._client.get_model_version(model, number))

    def by_alias(self, model: str, alias: str) -> Version | None:
        """The version that an alias points at; None where it points at none, or the model is not known."""
        try:
            with self._asking(f"find the {alias} of {model}"):
                return self._read(self._client.get_model_version_by_alias(model, alias))
        except UnknownVersionError:
            return None

    def versions(self, model: str) -> list[Version]:
        """All versions, newest first; none where the model is not known."""
        with self._asking(f"list versions of {model}"):
            found = self._client.search_model_versions(f"name = '{model}'", max_results=_PAGE)
            # A search does not tell aliases.
            aliases = self._aliases(model)
            return [self._read(each, aliases.get(str(each.version), ())) for each in found]

    def models(self) -> list[str]:
        """Names of all registered models."""
        with self._asking("list models"):
            return sorted(each.name for each in self._client.search_registered_models(max_results=_PAGE))

    def fetch(self, version: Version, folder: Path) -> Path:
        """Copy a version's artifact into a folder; returns where `TrainedModel.load` finds it."""
        folder.mkdir(parents=True, exist_ok=True)
        with self._asking(f"fetch {version.model} version {version.number}"):
            return Path(self._client.download_artifacts(version.run_id, MODEL_FOLDER, str(folder)))

    def evidence(self, version: Version, folder: Path) -> Evidence:
        """What a version showed when it was judged; `folder` is for the download."""
        with self._asking(f"read the evidence of {version.model} version {version.number}"):
            file = Path(self._client.download_artifacts(version.run_id, EVIDENCE_FILE, str(folder)))
        try:
            return Evidence.of_json(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise RegistryError(f"{version.model} version {version.number}: {error}") from error

    def profile(self, version: Version, folder: Path) -> Profile | None:
        """How features and scores were distributed where a version was judged; None where its training kept none."""
        with self._asking(f"read the profile of {version.model} version {version.number}"):
            if not any(each.path == PROFILE_FILE for each in self._client.list_artifacts(version.run_id)):
                return None
            file = Path(self._client.download_artifacts(version.run_id, PROFILE_FILE, str(folder)))
        try:
            return Profile.of_json(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise RegistryError(f"{version.model} version {version.number}: {error}") from error

    def record_replay(self, version: Version, replayed: Replayed, folder: Path) -> None:
        """Keep a replay of a version with it: the folder's files with its run, and what was found as a tag."""
        with self._asking(f"record a replay of {version.model} version {version.number}"):
            self._client.log_artifacts(version.run_id, str(folder), f"{REPLAY_FOLDER}/against-{replayed.against}")
            self._client.set_model_version_tag(version.model, version.number, *replayed.tag())

    def point(self, model: str, alias: str, number: str) -> None:
        """Let an alias point at a version."""
        with self._asking(f"make version {number} the {alias} of {model}"):
            self._client.set_registered_model_alias(model, alias, number)

    def unpoint(self, model: str, alias: str) -> None:
        """Take an alias away; nothing where there is none."""
        with self._asking(f"take the alias {alias} from {model}"):
            self._client.delete_registered_model_alias(model, alias)

    def change_champion(self, record: AuditRecord, folder: Path) -> None:
        """Write the record, then move the alias, then sign the record off: nothing ever serves without a record.

        The record is an artifact of a run of its own, one line of JSON, and a tag of the model. A crash in between
        leaves a record whose run is not finished: the alias says whether it moved.
        """
        with self._asking(f"change the champion of {record.model}"):
            run_id = self._open_record(record, folder)
            tag = f"{_AUDIT_TAG}{record.at_ms}.{record.to_version}"
            self._client.set_registered_model_tag(record.model, tag, record.as_line())
            self._client.set_registered_model_alias(record.model, CHAMPION, record.to_version)
            self._client.set_terminated(run_id, end_time=record.at_ms)

    def _open_record(self, record: AuditRecord, folder: Path) -> str:
        from mlflow.entities import Metric, RunTag

        name = f"{record.action} {record.model} {record.to_version}"
        run = self._client.create_run(self._experiment(_AUDIT_EXPERIMENT), record.at_ms, run_name=name)
        run_id: str = run.info.run_id
        told = ("action", "model", "from_version", "to_version", "by", "why")
        tags = [RunTag(f"tidegate.{each}", str(getattr(record, each))) for each in told]
        metrics = [Metric(key, value, record.at_ms, 0) for key, value in record.metrics.items()]
        self._client.log_batch(run_id, metrics, [], tags)
        file = folder / _AUDIT_FILE
        file.write_text(record.as_line() + "\n", encoding="utf-8")
        self._client.log_artifact(run_id, str(file))
        return run_id

    def audit(self, model: str) -> list[AuditRecord]:
        """Every change of the model's champion, oldest first."""
        with self._asking(f"read the audit of {model}"):
            tags: Mapping[str, str] = self._client.get_registered_model(model).tags
        lines = [value for name, value in tags.items() if name.startswith(_AUDIT_TAG)]
        return sorted((AuditRecord.of_line(line) for line in lines), key=lambda each: each.at_ms)

    def _experiment(self, name: str) -> str:
        from mlflow.exceptions import MlflowException

        found = self._client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        try:
            return str(self._client.create_experiment(name))
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            return self._experiment(name)

    def _aliases(self, model: str) -> dict[str, tuple[str, ...]]:
        try:
            with self._asking(f"read aliases of {model}"):
                pairs = self._client.get_registered_model(model).aliases.items()
        except UnknownVersionError:
            return {}
        return {number: tuple(sorted(a for a, n in pairs if n == number)) for _, number in pairs}

    def _read(self, found: Any, aliases: tuple[str, ...] | None = None) -> Version:
        return Version(
            model=found.name,
            number=str(found.version),
            run_id=found.run_id,
            source=found.source,
            created_ms=found.creation_timestamp,
            aliases=tuple(found.aliases) if aliases is None else aliases,
            tags=dict(found.tags),
        )

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        """Turn what MLflow's client raises into words for whoever asked."""
        from mlflow.exceptions import MlflowException

        try:
            yield
        except MlflowException as error:
            if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
                raise UnknownVersionError(f"cannot {what}: {error.message}") from error
            raise RegistryError(
                f"cannot {what}: MLflow at {self.url} does not answer as it should ({_first_line(error)}); "
                "see `make status`, and TIDEGATE_MLFLOW_URL for where it is"
            ) from error
        except OSError as error:
            raise RegistryError(
                f"cannot {what}: {error}; is MLflow at {self.url} running? see `make status`"
            ) from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:300]
