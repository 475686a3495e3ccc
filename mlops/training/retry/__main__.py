"""Makes worlds, trains the retry model, judges it in worlds it has not seen: `python -m mlops.training.retry`."""

import argparse
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from mlops.registry.artifact import ArtifactError, TrainedModel
from mlops.registry.retry.policy import Terms
from mlops.training.offpolicy import Estimate
from mlops.training.provenance import code_version
from mlops.training.retry import report
from mlops.training.retry.decisions import Decision, decisions
from mlops.training.retry.known import Known, chosen_by
from mlops.training.retry.outlook import ATTEMPTS
from mlops.training.retry.recipe import Recipe, dataset, figures, policy_of, train
from mlops.training.worlds import DATA, many

_ROOT = Path(__file__).parents[3]
_TRAIN = (101, 102, 103, 104, 105, 106)
_TEST = (301, 302, 303)
_CUSTOMERS = 10_000


def main(arguments: Sequence[str]) -> int:
    """Print every table; the model stays in its folder."""
    options = _options(arguments)
    try:
        made = many(options.folder, (*(() if options.model else options.train), *options.test), options.customers)
        folder = options.model or options.folder / "model"
        if options.model is None:
            _trained([made[seed] for seed in options.train]).save(folder)
        model = TrainedModel.load(folder)
        for line in _report(model, folder, {seed: made[seed] for seed in options.test}):
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
    except (ValueError, ArtifactError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m mlops.training.retry", description=__doc__)
    parser.add_argument("--folder", type=Path, default=DATA / "retry", help="for worlds, model and outcomes")
    parser.add_argument("--train", type=int, nargs="+", default=_TRAIN, help="seeds of the worlds to learn from")
    parser.add_argument("--model", type=Path, help="judge this model's folder, and train none")
    parser.add_argument("--test", type=int, nargs="+", default=_TEST, help="seeds of the worlds to judge in")
    parser.add_argument("--customers", type=int, default=_CUSTOMERS, help="of each world (default 10000)")
    options = parser.parse_args(arguments)
    if options.model is None and set(options.train) & set(options.test):
        parser.error("a world cannot be judged in that was learned from: give --test other seeds than --train")
    return options


def _trained(folders: Sequence[Path]) -> TrainedModel:
    decided = [decision for folder in folders for decision in decisions(folder)]
    return train(decided, Recipe(), Terms(), code_version=code_version())


def _report(model: TrainedModel, folder: Path, tests: dict[int, Path]) -> Iterator[str]:
    yield f"model in {folder}: {int(model.metadata['data']['rows']):,} retries learned from"
    decided = {seed: decisions(world) for seed, world in tests.items()}
    yield "\nprobability of an attempt that was made, in worlds not learned from"
    yield from _probabilities(model, decided)
    files = [_judged(world, folder, folder.parent / f"outcomes-{seed}.json") for seed, world in tests.items()]
    outcomes = report.outcomes(files)
    payments = len(next(iter(outcomes.values())))
    yield f"\nby the truth, {payments:,} failed payments of worlds {', '.join(map(str, tests))}; 95 % by customers"
    sums = {name: report.Sums.of(those) for name, those in outcomes.items()}
    ours = [name for name in sums if name.startswith("model")]
    yield from report.judgement(sums, ours, ("ladder", "eight in two weeks"))
    yield "\nfirst retry: what a policy brings in, estimated from the log, and in truth"
    yield from report.off_policy(_checked(model, tests, decided))


def _probabilities(model: TrainedModel, decided: dict[int, list[Decision]]) -> Iterator[str]:
    yield f"{'':12} {'attempts':>9} {'succeeded':>10} {'AUC':>7} {'log loss':>9} {'ECE':>7}"
    for seed, those in decided.items():
        table = dataset([each for each in those if each.retry_s is not None])
        found = figures(table.label, model.predict(table.values))
        yield (
            f"{f'world {seed}':12} {int(found['rows']):>9,} {found['rate']:>10.3f} {found['roc_auc']:>7.3f} "
            f"{found['log_loss']:>9.4f} {found['ece']:>7.4f}"
        )


def _judged(world: Path, model: Path, out: Path) -> Path:
    """Play the policies in a world. A process of its own: this package knows no service, the judge knows two."""
    command = [sys.executable, "-m", "bench.retry_schedules", str(world), str(model), "--out", str(out)]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(f"the judge failed: {' '.join(command)}\n{done.stderr[-2000:]}")
    return out


def _checked(
    model: TrainedModel, tests: dict[int, Path], decided: dict[int, list[Decision]]
) -> dict[str, tuple[float, dict[str, Estimate]]]:
    choose = chosen_by(policy_of(model), model, ATTEMPTS)
    found = {}
    for seed, world in tests.items():
        known = Known.of(world, decided[seed])
        for name, target in (
            ("any hour of days 3 to 5", known.between(49, 120)),
            ("any hour of day 2", known.between(25, 48)),
            ("within a day of the model's", known.around(choose)),
        ):
            found[f"world {seed}: {name}"] = known.check(target, model)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
