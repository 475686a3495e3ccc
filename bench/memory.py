"""Memory of the whole started set at rest: engines and services, resident, shared pages counted once (PSS)."""

import time

import psutil

from bench.measure import Result
from bench.platform import started

_BAR_MIB = 3072.0
_REST_SECONDS = 30


def run() -> list[Result]:
    """Start everything, let it rest, add up."""
    with started() as platform:
        time.sleep(_REST_SECONDS)
        by_name = {name: _mebibytes(process) for name, process in platform.processes().items()}
    total = sum(by_name.values())
    tops = {name: value for name, value in by_name.items() if "/" not in name}
    for name, value in by_name.items():
        if "/" in name:
            tops[name.partition("/")[0]] += value
    what = "memory of all processes of the set at rest, against the bar of 3 GiB"
    return [Result("memory_mib", what, "MiB", total, _BAR_MIB, total / _BAR_MIB, 1.0, "lower", tops)]


def _mebibytes(process: psutil.Process) -> float:
    memory = process.memory_full_info()
    # PSS is Linux's; elsewhere resident memory counts shared pages more than once.
    return float(getattr(memory, "pss", memory.rss)) / (1 << 20)
