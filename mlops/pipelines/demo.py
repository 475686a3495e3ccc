"""A simulated quarter through the whole lake: `python -m mlops.pipelines.demo`, or `make demo-lake`.

Events → PostgreSQL → Iceberg → dbt → features → training → promotion → dashboards, with the time that each stage took.
Dagster's assets do the work, in this process; where its own database is known its pages show every run.
"""

import argparse
import logging
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import dagster as dg
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

_ROOT: Final = Path(__file__).parents[2]
_CUSTOMERS: Final = 125_000
_DAYS: Final = 90
_SIMULATOR_SECONDS: Final = 3600
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
            ("totals", self.compare),
            ("features", self.features),
            ("training", self.training),
            ("promotion", self.promotion),
            ("dashboards", self.dashboards),
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
        """Into PostgreSQL, as the orchestrator's role; what is there already stays as it is."""
        from mlops.pipelines.lib.load import load_events

        url = os.environ.get(WRITER)
        if not url:
            raise StageError(
                f"{WRITER} is not set: PostgreSQL's URL as the role tidegate_writer; see docs/pipelines.md"
            )
        stored = 0
        for loaded in load_events(self.history, url):
            stored = loaded.stored
            sys.stdout.write(f"\r      {loaded.rows:,} rows")
            sys.stdout.flush()
        sys.stdout.write("\r")
        return f"{stored:,} new rows in tidegate.payment_events"

    def ingest(self) -> str:
        """Every source of bronze; what monitoring has found is as it is."""
        from mlops.pipelines.lib.sources import ALL, NAMESPACE

        self._materialise(*([NAMESPACE, source] for source in ALL))
        told = [(source, self._told([NAMESPACE, source])) for source in ALL]
        rows, rejected = (sum(int(each.get(name, 0)) for _, each in told) for name in ("rows", "rejected"))
        return f"{rows:,} rows to bronze, {rejected:,} rejected; rows agree with PostgreSQL"

    def build(self) -> str:
        """Silver, gold, marts, and every test of them."""
        result = self._run(dg.AssetSelection.groups("bronze", "silver", "gold", "marts"))
        checks = result.get_asset_check_evaluations()
        return f"{len(result.get_asset_materialization_events())} models, {len(checks)} checks held"

    def compare(self) -> str:
        """The simulator's truth, PostgreSQL, gold, and the mart that the dashboards read: to the cent."""
        from mlops.pipelines.lib import reconciliation, truth

        settings = lake_settings()
        gold, reach, rejected = reconciliation.of_gold(settings)
        stored = reconciliation.of_postgresql(settings.postgresql(), reach, rejected)
        found = reconciliation.differences(stored, gold)
        of_gold = truth.totals_of_rows(gold)
        places_by_name = {"PostgreSQL": truth.totals_of_rows(stored), "the dashboards' mart": _of_mart(settings)}
        if self._is_all_there_is(stored):
            places_by_name["the simulator's truth"] = truth.totals_of_truth(self.history)
        wrong = [*map(str, found), *map(str, truth.disagreements(of_gold, places_by_name))]
        if wrong:
            raise StageError("; ".join(wrong))
        captured = ", ".join(f"{each.currency} {each.captured_cents:,}" for each in gold)
        return f"agree in gold, {', '.join(places_by_name)}: captured, in minor units: {captured}"

    def _is_all_there_is(self, stored: Sequence[Any]) -> bool:
        """Where the database holds other events too, the truth of one history cannot be all of it."""
        rows: int = pq.read_metadata(self.history / HISTORY_FILE).num_rows
        stored_rows: int = sum(each.events for each in stored)
        return stored_rows == rows

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

    def dashboards(self) -> str:
        """Bring the dashboards to Superset and ask every chart."""
        if not os.environ.get(SUPERSET):
            return f"{SUPERSET} is not set: nothing was published"
        # A past that nobody decided on has no answers of models to show.
        said = _ran(["-m", "deploy.superset.publish", "--may-be-empty"], _PUBLISH_SECONDS)
        return said.strip().splitlines()[-1] if said.strip() else "published"

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


def _of_mart(settings: Any) -> dict[tuple[str, str], int]:
    from mlops.pipelines.lib.mart_totals import mart_totals

    return mart_totals(settings)


def _ran(arguments: Sequence[object], seconds: float) -> str:
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False, timeout=seconds)
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
    root.add_argument("--seed", type=int, default=11)
    root.add_argument("--history", type=Path, help="a history's folder, made where it is not there")
    return root


def main(argv: Sequence[str] | None = None) -> int:
    """Run every stage and say how long each took; 1 where one fails or totals differ, 2 where settings are missing."""
    options = parser().parse_args(argv)
    logging.getLogger("trino").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="pyiceberg")
    name = f"world-{options.seed}-{options.customers}-{options.days}"
    history = options.history or places().history.with_name(name)
    with _instance() as instance:
        demo = Demo(history, options.customers, options.days, options.seed, instance)
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
