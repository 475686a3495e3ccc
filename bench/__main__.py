"""Runs the benchmarks and writes their figures: `python -m bench [name …]`, all of them by default."""

import argparse
import importlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from bench.measure import Result

# In the order they run: those that need no engine first.
MODULES = (
    "serde", "inference", "serving", "gateway", "normalizer", "persist",
    "workflows", "end_to_end", "memory", "lake", "dbt",
)  # fmt: skip
_HEADER = f"{'benchmark':24} {'ours':>12} {'baseline':>12} {'unit':14} {'ratio':>8} {'bar':>8}"


def main() -> int:
    """Run what was asked for; 1 when a ratio is on the wrong side of its bar."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*MODULES, []], help=f"which: {', '.join(MODULES)}")
    names = parser.parse_args().names or MODULES
    print(_HEADER)
    results: list[Result] = []
    for name in names:
        for result in importlib.import_module(f"bench.{name}").run():
            print(_row(result), flush=True)
            results.append(result)
    file = write(results)
    print(f"written to {file}; method and reading of the figures: docs/performance.md")
    return 0 if all(result.passes for result in results) else 1


def write(results: list[Result]) -> Path:
    """Add the results to bench.json, replacing earlier ones of the same id."""
    file = Path(os.environ.get("TIDEGATE_HOME", ".tidegate")) / "bench.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    known: Mapping[str, object] = json.loads(file.read_text()) if file.exists() else {}
    merged = {**known, **{result.id: result.as_json() for result in results}}
    file.write_text(json.dumps(merged, indent=2, sort_keys=True) + "\n")
    return file


def _row(result: Result) -> str:
    sign = "≥" if result.better == "higher" else "≤"
    bar = "" if result.bar is None else f"{sign}{result.bar:7.2f}"
    verdict = "" if result.passes else "  MISSED"
    detail = "".join(f"\n{'':24}   {name} = {value:.3f}" for name, value in result.detail.items())
    return (
        f"{result.id:24} {result.ours:12.4g} {result.baseline:12.4g} {result.unit:14} "
        f"{result.ratio:8.2f} {bar}{verdict}{detail}"
    )


if __name__ == "__main__":
    sys.exit(main())
