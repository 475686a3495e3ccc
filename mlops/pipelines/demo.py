"""A simulated quarter through the whole lake: `python -m mlops.pipelines.demo`, or `make demo-lake`.

Events → PostgreSQL → Iceberg → dbt → features → training → promotion → decisions of those who serve now, back into the
lake → dashboards → totals of every place compared, with the time that each stage took.
Dagster's assets do the work, in this process; where its own database is known its pages show every run.
"""

import argparse
import json
import logging
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import dagster as dg
import iso4217
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mlops.features.event_rows import HISTORY_FILE
from mlops.pipelines.lib.places import places
from mlops.pipelines.settings import LakeSettingsError, lake_settings

FAILED: Final = 1
MISUSED: Final = 2
WRITER: Final = "TIDEGATE_WRITER_DATABASE_URL"
SUPERSET: Final = "TIDEGATE_SUPERSET_URL"
DAGSTER_DATABASE: Final = "TIDEGATE_DAGSTER_DATABASE_URL"
MODELS: Final = ("fraud", "churn", "retry")

_OF_MODELS_ALONE: Final = (
    "Brier score by day (lower is better)",
    "Furthest from training",
    "PSI by feature and day",
    "Said ÷ happened by day (1 is right)",
)
"""Charts that say how models do, and nothing of rules: these were trained on nothing and claim no probability."""

_ROOT: Final = Path(__file__).parents[2]
_CUSTOMERS: Final = 130_000
_DAYS: Final = 90
_DECIDED_DAYS: Final = 21
_POISONED: Final = 24
_SIMULATOR_SECONDS: Final = 3600
_DECIDE_SECONDS: Final = 3600
_PUBLISH_SECONDS: Final = 900
_QUIET: Final = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class StageError(Exception):
    """A stage failed; the message says what of it, in its own words."""


@dataclass
class Demo:
    """One run of it: what was asked for, and what each stage came to."""

    history: Path
    customers: int
    days: int
    decided_days: int
    seed: int
    instance: dg.DagsterInstance
    took: list[tuple[str, float, str]] = field(default_factory=list)

    @property
    def stages(self) -> Sequence[tuple[str, Callable[[], str]]]:
        """By name, in order; each returns what it came to in words."""
        return (
            ("simulate", self.simulate),
            ("store", self.store),
            ("ingest", self.ingest),
            ("dbt", self.build),
            ("features", self.features),
            ("training", self.training),
            ("promotion", self.promotion),
            ("decisions", self.decisions),
            ("answers", self.answers),
            ("dashboards", self.dashboards),
            ("totals", self.compare),
        )

    def run(self) -> None:
        """Every stage, with its time; StageError where one fails."""
        for number, (name, stage) in enumerate(self.stages, start=1):
            _say(f"[{number}/{len(self.stages)}] {name} …")
            started = time.monotonic()
            came_to = stage()
            self.took.append((name, time.monotonic() - started, came_to))
            _say(f"      {self.took[-1][1]:7.1f} s  {came_to}")

    def simulate(self) -> str:
        """The history, made with the simulator's command where it is not there yet."""
        if not (self.history / HISTORY_FILE).is_file():
            first_day = datetime.fromtimestamp(time.time_ns() / 1e9, UTC).date() - timedelta(days=self.days)
            partial = self.history.with_name(self.history.name + ".partial")
            plan = ["--seed", self.seed, "--customers", self.customers, "--days", self.days, "--first-day", first_day]
            _ran(["-m", "services.simulator", "--history", partial, *plan], _SIMULATOR_SECONDS)
            partial.rename(self.history)
        return f"{pq.read_metadata(self.history / HISTORY_FILE).num_rows:,} events in {self.history}"

    def store(self) -> str:
        """Into PostgreSQL, as the orchestrator's role, and a few rows beside them that ingest has to turn away.

        What is there already stays as it is.
        """
        from mlops.pipelines.lib.load import load_broken, load_events

        stored = 0
        for loaded in load_events(self.history, _writer()):
            stored = loaded.stored
            sys.stdout.write(f"\r      {loaded.rows:,} rows")
            sys.stdout.flush()
        sys.stdout.write("\r")
        broken = load_broken(self.history, _writer(), _POISONED)
        return f"{stored:,} new rows in tidegate.payment_events, and {broken} broken ones, which the lake must not take"

    def ingest(self) -> str:
        """Every source of bronze; what monitoring has found is as it is."""
        from mlops.pipelines.lib.sources import ALL, NAMESPACE

        self._materialise(*([NAMESPACE, source] for source in ALL))
        told = [(source, self._told([NAMESPACE, source])) for source in ALL]
        rows, rejected = (sum(int(each.get(name, 0)) for _, each in told) for name in ("rows", "rejected"))
        return f"{rows:,} rows to bronze, {rejected:,} rejected; rows agree with PostgreSQL"

    def build(self) -> str:
        """Silver and gold, and every test of them: what is learned from."""
        return _built(self._run(dg.AssetSelection.groups("bronze", "silver", "gold")))

    def features(self) -> str:
        """Read the past out of the lake, make its features, fill in what the online store lacks."""
        self._run(dg.AssetSelection.groups("features"))
        history, online = (self._told(["features", name]) for name in ("history", "online"))
        counts = ", ".join(f"{online[name]:,} {name}" for name in ("equal", "ahead", "behind", "different", "filled"))
        return f"{history['events']:,} events; of entities online {counts}"

    def training(self) -> str:
        """A candidate of each model, and what the policy says of it."""
        names = [f"{model}_{step}" for step in ("candidate", "evaluation") for model in MODELS]
        self._materialise(*(["models", name] for name in names))
        return "; ".join(self._learned(model) for model in MODELS)

    def _learned(self, model: str) -> str:
        told = self._told(["models", f"{model}_candidate"])
        return f"{model}: {told['too_short'] or 'challenger ' + told['challenger']}"

    def promotion(self) -> str:
        """Who serves: the policy decides."""
        self._materialise(*(["models", f"{model}_champion"] for model in MODELS))
        return "; ".join(self._decided(model) for model in MODELS)

    def _decided(self, model: str) -> str:
        told = self._told(["models", f"{model}_champion"])
        refused = " ".join(told["refused"].split())
        return f"{model}: {told['serves']} serves" + (f", refused: {refused}" if refused else "")

    def decisions(self) -> str:
        """What those who serve now answer to the events of the last days, stored and published as serving does it.

        Days before them only make features. What was answered once stays: a prediction's repetition is one more.
        """
        since = self._last_arrival().date() - timedelta(days=self.decided_days - 1)
        folder = self.history / f"answers-{since}"
        if folder.is_dir():
            return f"events since {since} have their answers"
        partial = folder.with_name(folder.name + ".partial")
        arguments = ["--history", self.history, "--out", partial, "--since", since]
        said = _ran(["-m", "services.inference.replay.answers", *arguments], _DECIDE_SECONDS)
        as_writer = {**os.environ, "TIDEGATE_DATABASE_URL": _writer()}
        _ran(["-m", "services.orchestrator.load_decisions", partial / "decisions.binpb"], _DECIDE_SECONDS, as_writer)
        published = _ran(["-m", "services.inference.load_predictions", partial / "predictions.binpb"], _DECIDE_SECONDS)
        partial.rename(folder)
        return f"of events since {since} {said.split(' in ')[0]}, {published.strip()}"

    def _last_arrival(self) -> datetime:
        arrivals = pq.read_table(self.history / HISTORY_FILE, columns=["processed_at"]).column(0)
        last: datetime = pc.max(arrivals).as_py()
        return last

    def answers(self) -> str:
        """What is found of the answers, all of it into the lake, and the models of dbt that show them."""
        from mlops.pipelines.lib.sources import FINDINGS, NAMESPACE

        brought = [[NAMESPACE, source] for source in ("decisions", "predictions", *FINDINGS)]
        shown = dg.AssetSelection.assets(*brought).downstream() & dg.AssetSelection.groups("silver", "gold")
        found = dg.AssetSelection.assets(["monitoring", "findings"], *brought)
        built = _built(self._run(found | shown | dg.AssetSelection.groups("marts")))
        rows = ", ".join(f"{int(self._told(key).get('rows', 0)):,} {key[1]}" for key in brought[:2])
        return f"{rows}; {built}; what was found is {self._told(['monitoring', 'findings'])['state']}"

    def dashboards(self) -> str:
        """Bring the dashboards to Superset and ask every chart: each has something to show, where a model serves."""
        if not os.environ.get(SUPERSET):
            return f"{SUPERSET} is not set: nothing was published"
        served = any(self._told(["models", f"{model}_champion"])["serves"] != "none" for model in MODELS)
        empty = [] if served else ["--may-be-empty", *_OF_MODELS_ALONE]
        said = _ran(["-m", "deploy.superset.publish", *empty], _PUBLISH_SECONDS)
        return said.strip().splitlines()[-2]

    def compare(self) -> str:
        """The simulator's truth, PostgreSQL, gold and the dashboards: to the minor unit.

        The truth is held against what PostgreSQL and gold have of this history's own payments, whatever else is there.
        """
        from mlops.pipelines.lib import reconciliation, truth
        from mlops.pipelines.lib.catalog import open_catalog

        settings = lake_settings()
        gold = reconciliation.of_gold(settings)
        told = truth.truth_of(self.history)
        stored, own = (
            reconciliation.of_postgresql(settings.postgresql(), gold.until, gold.unseen, payments)
            for payments in (None, told.payment_ids)
        )
        of_own = {
            "PostgreSQL": truth.totals_of_rows(own),
            "gold": truth.totals_in_gold(open_catalog(settings), told.payment_ids),
        }
        seen, of_seen = _on_dashboards(settings, [each.currency for each in gold.totals])
        found = [
            *reconciliation.differences(stored, gold.totals),
            *truth.disagreements(told.totals, of_own),
            *truth.disagreements(truth.totals_of_rows(gold.totals), {seen: of_seen}),
        ]
        if found:
            raise StageError("; ".join(map(str, found)))
        more = sum(each.payments for each in gold.totals) - len(told.payment_ids)
        others = f"; {more:,} payments of other histories, whose truth is not asked" if more else ""
        captured, refunded, disputed = (
            ", ".join(f"{each.currency} {getattr(each, figure):,}" for each in gold.totals)
            for figure in ("captured_cents", "refunded_cents", "disputed_cents")
        )
        return (
            f"{len(told.payment_ids):,} payments agree in the simulator's truth, PostgreSQL, gold and {seen}{others}; "
            f"in minor units captured {captured}; refunded {refunded}; disputed {disputed}"
        )

    def _materialise(self, *keys: Sequence[str]) -> None:
        self._run(dg.AssetSelection.assets(*keys))

    def _run(self, selection: dg.AssetSelection) -> dg.ExecuteInProcessResult:
        from mlops.pipelines.definitions import defs

        job = defs.resolve_implicit_global_asset_job_def()
        keys = sorted(selection.resolve(defs.resolve_asset_graph()))
        result = job.execute_in_process(
            asset_selection=keys, instance=self.instance, raise_on_error=False, run_config=_QUIET
        )
        if not result.success:
            raise StageError(_why(result))
        return result

    def _told(self, key: Sequence[str]) -> dict[str, Any]:
        event = self.instance.get_latest_materialization_event(dg.AssetKey(key))
        materialization = event.asset_materialization if event else None
        return {name: each.value for name, each in materialization.metadata.items()} if materialization else {}


def _why(result: dg.ExecuteInProcessResult) -> str:
    """Of the steps that failed, in their own words, and of the checks that did not hold."""
    reasons = [
        f"{event.step_key}: {_words(event.step_failure_data)}" for event in result.all_events if event.is_step_failure
    ]
    reasons += [
        f"{check.asset_key.to_user_string()} {check.check_name} does not hold"
        for check in result.get_asset_check_evaluations()
        if not check.passed
    ]
    return "; ".join(reasons)


def _words(failure: Any) -> str:
    if failure.user_failure_data is not None:
        return str(failure.user_failure_data.description)
    return str(failure.error.cause.message if failure.error.cause else failure.error.message).strip()


def _built(result: dg.ExecuteInProcessResult) -> str:
    layers = {"bronze", "silver", "gold", "marts"}
    made = [each.asset_key for each in result.get_asset_materialization_events()]
    models = sum(1 for key in made if key is not None and key.path[0] in layers)
    return f"{models} tables, {len(result.get_asset_check_evaluations())} checks held"


def _writer() -> str:
    url = os.environ.get(WRITER)
    if not url:
        raise StageError(f"{WRITER} is not set: PostgreSQL's URL as the role tidegate_writer; see docs/pipelines.md")
    return url


def _on_dashboards(settings: Any, currencies: Sequence[str]) -> tuple[str, Mapping[tuple[str, str], int]]:
    """What people see, asked of Superset as their pages do; where there is none, the mart that it would read."""
    if not os.environ.get(SUPERSET):
        from mlops.pipelines.lib.mart_totals import mart_totals

        return "the dashboards' mart", mart_totals(settings)
    said = json.loads(_ran(["-m", "deploy.superset.totals", *currencies], _PUBLISH_SECONDS))
    exponents = {currency.code: currency.exponent for currency in iso4217.Currency}
    return "the dashboards", {
        (currency, figure if figure == "payments" else f"{figure}_cents"): int(
            Decimal(shown).scaleb(0 if figure == "payments" else exponents[currency] or 0)
        )
        for currency, figures in said.items()
        for figure, shown in figures.items()
    }


def _ran(arguments: Sequence[object], seconds: float, environment: Mapping[str, str] | None = None) -> str:
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(
        command, cwd=_ROOT, env=environment, capture_output=True, text=True, check=False, timeout=seconds
    )
    if done.returncode:
        raise StageError(f"{' '.join(command)}: {(done.stdout + done.stderr)[-2000:]}")
    return done.stdout


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@contextmanager
def _instance() -> Iterator[dg.DagsterInstance]:
    """Dagster's own where its database is known, so that its pages show the runs; else one that is forgotten."""
    if os.environ.get(DAGSTER_DATABASE) and os.environ.get("DAGSTER_HOME"):
        yield dg.DagsterInstance.get()
    else:
        with dg.DagsterInstance.ephemeral() as instance:
            yield instance


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    root = argparse.ArgumentParser(prog="python -m mlops.pipelines.demo", description=__doc__)
    root.add_argument("--customers", type=int, default=_CUSTOMERS, help="default: %(default)s, over a million events")
    root.add_argument("--days", type=int, default=_DAYS, help="up to yesterday (default: %(default)s)")
    root.add_argument(
        "--decided-days", type=int, default=_DECIDED_DAYS, help="of the last so many, who serves decides (%(default)s)"
    )
    root.add_argument("--seed", type=int, default=11)
    root.add_argument("--history", type=Path, help="a history's folder, made where it is not there")
    return root


def main(argv: Sequence[str] | None = None) -> int:
    """Run every stage and say how long each took; 1 where one fails or totals differ, 2 where settings are missing."""
    options = parser().parse_args(argv)
    logging.disable(logging.INFO)
    warnings.filterwarnings("ignore", module="pyiceberg")
    name = f"world-{options.seed}-{options.customers}-{options.days}"
    history = options.history or places().history.with_name(name)
    with _instance() as instance:
        demo = Demo(history, options.customers, options.days, options.decided_days, options.seed, instance)
        try:
            lake_settings()
            demo.run()
        except LakeSettingsError as error:
            sys.stderr.write(f"{error}\n")
            return MISUSED
        except StageError as error:
            sys.stderr.write(f"\n{error}\n")
            return FAILED
        finally:
            _say("")
            for stage, seconds, came_to in demo.took:
                _say(f"{stage:12} {seconds:8.1f} s  {came_to}")
            _say(f"{'in all':12} {sum(seconds for _, seconds, _ in demo.took):8.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
