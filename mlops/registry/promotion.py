"""Lets a version serve when the policy allows it, and goes back to the one before; each with its record."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlops.registry.audit import AuditRecord, to_go_back_to
from mlops.registry.evidence import Evidence
from mlops.registry.policy import Policy, Refusal, refusals
from mlops.registry.ports import CHALLENGER, CHAMPION, ChampionRegistry, RegistryError
from mlops.registry.replays import Replayed


class RefusedError(Exception):
    """The policy stands against it; one line for each rule that is broken."""

    def __init__(self, model: str, version: str, found: Sequence[Refusal]) -> None:
        super().__init__(
            "\n".join([f"{model} version {version} may not serve:", *(f"  - {refusal}" for refusal in found)])
        )
        self.refusals = tuple(found)


@dataclass(frozen=True, slots=True)
class Order:
    """Who asks for a change, when (milliseconds since 1970), and why."""

    by: str
    at_ms: int
    why: str


def promote(registry: ChampionRegistry, model: str, number: str | None, policy: Policy, order: Order) -> AuditRecord:
    """Make a version (default: the challenger) the champion.

    Raises:
        RefusedError: the policy stands against it.
        RegistryError: there is no such version, it serves already, or the server is away.
    """
    number = number or _challenger(registry, model)
    candidate = registry.version(model, number)
    champion = registry.by_alias(model, CHAMPION)
    serving = champion.number if champion else None
    if serving == number:
        raise RegistryError(f"{model} version {number} is the champion already")
    with tempfile.TemporaryDirectory() as folder:
        evidence = registry.evidence(candidate, Path(folder))
        replayed = Replayed.of_tags(candidate.tags, serving) if serving else None
        if found := refusals(policy, evidence, serving, replayed):
            raise RefusedError(model, number, found)
        record = AuditRecord("promote", model, serving, number, order.by, order.at_ms, order.why, metrics_of(evidence))
        registry.change_champion(record, Path(folder))
    challenger = registry.by_alias(model, CHALLENGER)
    if challenger is not None and challenger.number == number:
        registry.unpoint(model, CHALLENGER)
    return record


def _challenger(registry: ChampionRegistry, model: str) -> str:
    challenger = registry.by_alias(model, CHALLENGER)
    if challenger is None:
        raise RegistryError(f"{model} has no challenger; name a version with --version (`show {model}` lists them)")
    return challenger.number


def rollback(registry: ChampionRegistry, model: str, order: Order) -> AuditRecord:
    """Make the version that served before the champion's promotion the champion again; no policy is asked.

    Raises:
        RegistryError: nothing serves, nothing served before, or the server is away.
    """
    champion = registry.by_alias(model, CHAMPION)
    if champion is None:
        raise RegistryError(f"{model} has no champion: there is nothing to go back from")
    back = to_go_back_to(registry.audit(model), champion.number)
    if back is None:
        raise RegistryError(f"nothing served before {model} version {champion.number}: there is nothing to go back to")
    registry.version(model, back)
    record = AuditRecord("rollback", model, champion.number, back, order.by, order.at_ms, order.why, {})
    with tempfile.TemporaryDirectory() as folder:
        registry.change_champion(record, Path(folder))
    return record


def metrics_of(evidence: Evidence) -> dict[str, float]:
    """The evidence's figures by flat names."""
    flat = {name: figure.value for name, figure in evidence.figures.items()}
    for name, gain in evidence.gain.items():
        flat |= {f"gain_{name}": gain.value, f"gain_{name}_low": gain.low, f"gain_{name}_high": gain.high}
    return flat | dict(evidence.quality) | dict(evidence.calibration) | {"fpr": evidence.false_positive_rate}
