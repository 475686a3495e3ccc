"""Puts a trained model into the registry, with everything that a reviewer and a policy want to know of it."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mlops.registry.artifact import TrainedModel, artifact_digest
from mlops.registry.evidence import EVIDENCE_FILE, Evidence
from mlops.registry.ports import CHALLENGER, CHAMPION, Version
from mlops.registry.profile import PROFILE_FILE, Profile
from mlops.registry.promotion import metrics_of
from mlops.registry.store import DIGEST_TAG, JUDGED_AGAINST_TAG, MODEL_FOLDER, Registry, Training
from mlops.training.cards import Purpose, card
from mlops.training.dataset import Bools, Floats
from mlops.training.judging import Answers
from mlops.training.plots import draw

CARD_FILE: Final = "model_card.md"
_SIGNATURE_FILE: Final = "MLmodel"


@dataclass(frozen=True, slots=True)
class Judged:
    """A model with what it was judged by; its own answers come first."""

    model: TrainedModel
    evidence: Evidence
    label: Bools
    answers: Sequence[Answers]
    history_fingerprint: str
    rows: Floats | None = None
    """What judged it, by the model's features: what is served is compared with it. None leaves nothing to compare."""


def publish(registry: Registry, name: str, judged: Judged, purpose: Purpose, started_ms: int) -> tuple[Version, bool]:
    """Log and register a model, as the challenger; returns its version, and whether it is new.

    A model that is there already, to the byte and judged against the same one, is not registered again.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder, beside = Path(temporary) / MODEL_FOLDER, Path(temporary) / "beside"
        judged.model.save(folder)
        _write_signature(folder / _SIGNATURE_FILE, judged.model)
        digest = artifact_digest(folder)
        known = _known(registry.versions(name), digest, judged.evidence.against)
        if known is not None:
            _point_again(registry, known)
            return known, False
        _write_beside(beside, judged, purpose)
        training = _training(name, folder, beside, digest, judged)
        version = registry.register(training, registry.log(training, started_ms))
    registry.point(name, CHALLENGER, version.number)
    return version, True


def _point_again(registry: Registry, known: Version) -> None:
    """Make it the challenger where a training ended between its registration and that; never what served once."""
    if not known.aliases and all(record.to_version != known.number for record in registry.audit(known.model)):
        registry.point(known.model, CHALLENGER, known.number)


def _known(versions: Sequence[Version], digest: str, against: str) -> Version | None:
    """The version that is this very model, unless it was judged against another model than now and does not serve."""
    return next(
        (
            version
            for version in versions
            if version.tags.get(DIGEST_TAG) == digest
            and (CHAMPION in version.aliases or version.tags.get(JUDGED_AGAINST_TAG) == against)
        ),
        None,
    )


def _training(name: str, folder: Path, beside: Path, digest: str, judged: Judged) -> Training:
    metadata = judged.model.metadata
    return Training(
        model=name,
        folder=folder,
        beside=beside,
        version_tags={DIGEST_TAG: digest, JUDGED_AGAINST_TAG: judged.evidence.against},
        params=dict(_params(metadata["recipe"])),
        metrics=metrics_of(judged.evidence),
        tags={
            "tidegate.data_fingerprint": metadata["data"]["fingerprint"],
            "tidegate.history_fingerprint": judged.history_fingerprint,
            "tidegate.code_version": metadata["code_version"],
            "mlflow.note.content": (beside / CARD_FILE).read_text(encoding="utf-8"),
        },
    )


def _params(recipe: Mapping[str, Any]) -> Mapping[str, str]:
    """The recipe by flat names."""
    flat: dict[str, str] = {}
    for name, value in recipe.items():
        nested = value.items() if isinstance(value, Mapping) else None
        flat |= {f"{name}.{key}": str(each) for key, each in nested} if nested is not None else {name: str(value)}
    return flat


def _write_beside(folder: Path, judged: Judged, purpose: Purpose) -> None:
    folder.mkdir()
    (folder / EVIDENCE_FILE).write_text(judged.evidence.as_json(), encoding="utf-8")
    (folder / CARD_FILE).write_text(card(purpose, judged.model, judged.evidence), encoding="utf-8")
    if judged.rows is not None:
        model, said = judged.model, judged.answers[0].probability
        profile = Profile.of(model.features, judged.rows, said, model.thresholds)
        (folder / PROFILE_FILE).write_text(profile.as_json(), encoding="utf-8")
    draw(folder, judged.model, judged.label, judged.answers)


def _write_signature(file: Path, model: TrainedModel) -> None:
    """Names and types of what goes in and comes out, where MLflow shows them; no flavour: `TrainedModel` loads it."""
    from mlflow.models import Model, ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    inputs = Schema([ColSpec(DataType.double, name, required=False) for name in model.features])
    signature = ModelSignature(inputs, Schema([ColSpec(DataType.double, "probability")]))
    Model(artifact_path=MODEL_FOLDER, signature=signature).save(str(file))
