"""How the lakehouse does, for the status screen: each job's last run, what failed, which checks do not hold."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

DAY_SECONDS: Final = 86_400
_MOST_RUNS: Final = 1_000
_MOST_NAMED: Final = 6
_FINISHED: Final = {"SUCCESS": "succeeded", "FAILURE": "FAILED", "CANCELED": "cancelled"}

_QUESTION: Final = """{{
  repositoriesOrError {{ ... on RepositoryConnection {{ nodes {{
    jobs {{ name runs(limit: 1) {{ status startTime endTime }} }}
    sensors {{ name sensorState {{ status }} }}
    schedules {{ name scheduleState {{ status }} }}
  }} }} }}
  failed: runsOrError(filter: {{statuses: [FAILURE], createdAfter: {since}}}, limit: {most}) {{
    ... on Runs {{ results {{ jobName }} }}
  }}
  assetNodes {{ assetKey {{ path }} assetChecksOrError {{ ... on AssetChecks {{ checks {{
    name executionForLatestMaterialization {{ status evaluation {{ severity }} }}
  }} }} }} }}
}}"""


def question(now: float) -> str:
    """GraphQL for Dagster's pages; what failed is asked of the last day."""
    return _QUESTION.format(since=now - DAY_SECONDS, most=_MOST_RUNS)


def told(answer: Mapping[str, Any], now: float) -> Sequence[str]:
    """Lines for people. A check counts for the newest data: one that was not made since does not hold them."""
    nodes = answer["repositoriesOrError"].get("nodes", [])
    jobs = [job for node in nodes for job in node["jobs"] if not job["name"].startswith("__")]
    if not jobs:
        return ["Dagster has loaded no pipelines: make logs NAME=dagster-code"]
    lines = ["  ".join(f"{job['name']} {_last_run(job['runs'], now)}" for job in jobs)]
    if failed := Counter(run["jobName"] for run in answer["failed"].get("results", [])):
        lines.append("failed in the last day: " + ", ".join(f"{job} {count}" for job, count in failed.items()))
    return [*lines, *_checks(answer["assetNodes"]), *_off(nodes)]


def _last_run(runs: Sequence[Mapping[str, Any]], now: float) -> str:
    if not runs:
        return "never ran"
    status, ended, started = (runs[0][name] for name in ("status", "endTime", "startTime"))
    if status in _FINISHED and ended is not None:
        return f"{_FINISHED[status]} {_moment(ended)}"
    since = f" for {(now - started) / 60:.0f} min" if started is not None else ""
    return f"{status.lower().replace('_', ' ')}{since}"


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def _checks(assets: Iterable[Mapping[str, Any]]) -> Sequence[str]:
    found: dict[str, list[str]] = {"do not hold": [], "could not be made": [], "warn": []}
    states: Counter[str] = Counter()
    for asset in assets:
        for check in asset["assetChecksOrError"].get("checks", []):
            made = check["executionForLatestMaterialization"]
            states[made["status"] if made else "SKIPPED"] += 1
            if (outcome := _outcome(made)) is not None:
                found[outcome].append(f"{'/'.join(asset['assetKey']['path'])} {check['name']}")
    lines = [f"{outcome}: {_named(names)}" for outcome, names in found.items() if names]
    going, left = states["IN_PROGRESS"], states["SKIPPED"]
    return [*lines, f"{states.total()} checks, {going} being made, {left} not made of the newest data"]


def _outcome(made: Mapping[str, Any] | None) -> str | None:
    match made:
        case {"status": "FAILED", "evaluation": {"severity": "WARN"}}:
            return "warn"
        case {"status": "FAILED"}:
            return "do not hold"
        case {"status": "EXECUTION_FAILED"}:
            return "could not be made"
        case _:
            return None


def _named(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _off(nodes: Iterable[Mapping[str, Any]]) -> Sequence[str]:
    """Sensors and schedules that somebody turned off: what they start does not run by itself."""
    off = [
        one["name"]
        for node in nodes
        for kind in ("sensor", "schedule")
        for one in node[f"{kind}s"]
        if one[f"{kind}State"]["status"] != "RUNNING"
    ]
    return [f"turned off: {', '.join(off)}"] if off else []
