"""Which features and models a contract's field goes into: read from the code that makes features, and from recipes."""

import ast
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from codegen.image import ROOT
from mlops.features.catalog import FEATURES
from mlops.features.payment import OWN_FEATURES
from mlops.registry.retry.inputs import FEATURES as RETRY_FEATURES
from mlops.registry.store import Registry
from mlops.training.churn.world_recipe import RECIPE as CHURN
from mlops.training.fraud.world_recipe import RECIPE as FRAUD

# The only ways in from contracts to features.
_FACTS, _OWN = ROOT / "mlops/features/facts.py", ROOT / "mlops/features/payment.py"
# How the catalog names where a feature comes from, by the message that tells of it; any other source is an event type.
_NAMED_SOURCES: Final = {"PaymentDecision": "payments.decisions"}
RECIPES: Final[Mapping[str, tuple[str, ...]]] = {
    "fraud": tuple(FRAUD.features),
    "retry": tuple(RETRY_FEATURES),
    "churn": tuple(CHURN.features),
}
"""What each model is trained on, where no registry says what those that serve take."""


def features_of(message: str, field: str) -> Sequence[str]:
    """Names of the features that are made of facts or payments that this field of a message goes into."""
    short = message.rpartition(".")[2]
    found: list[str] = []
    if field in fields_read(_OWN, short):
        found += OWN_FEATURES
    if field in fields_read(_FACTS, short):
        named = _NAMED_SOURCES.get(short)
        found += [each.name for each in FEATURES if (named in each.source if named else _is_of_events(each.source))]
    return sorted(set(found))


def fields_read(file: Path, message: str) -> frozenset[str]:
    """Fields of a message that a module reads from arguments of its type, by name."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return frozenset(
        name
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for argument in function.args.args
        if argument.annotation is not None and message in ast.unparse(argument.annotation)
        for name in _read_of(function, argument.arg)
    )


def _read_of(function: ast.FunctionDef, argument: str) -> Iterator[str]:
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == argument:
            yield node.attr
        if isinstance(node, ast.Call) and ast.unparse(node.func) == f"{argument}.HasField":
            yield from (arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str))


def _is_of_events(source: str) -> bool:
    return not any(named in source for named in _NAMED_SOURCES.values())


def champions(mlflow_url: str) -> Mapping[str, tuple[str, ...]]:
    """What each registered model's champion takes, as its artifact says; models without a champion are left out."""
    registry = Registry(mlflow_url)
    taken: dict[str, tuple[str, ...]] = {}
    for model in registry.models():
        version = registry.by_alias(model, "champion")
        if version is None:
            continue
        with tempfile.TemporaryDirectory() as folder:
            listed = next(iter(registry.fetch(version, Path(folder)).rglob("features.json")), None)
            if listed is not None:
                taken[f"{model} version {version.number}"] = tuple(json.loads(listed.read_text(encoding="utf-8")))
    return taken
