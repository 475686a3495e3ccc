"""Counts how bodies drift from their contracts, in a bounded number of series."""

import re
from collections.abc import Sequence
from typing import Final

from services.gateway.decoder import MOST_TOLD, Drift
from services.runtime.metrics import counter

OTHER: Final = "(other)"
_PLAIN_VERSION: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
# Drift held before it is written to the metric, at 8 us each.
_MOST_PENDING: Final = 5_000

_Sighting = tuple[str, str, tuple[Drift, ...]]


class DriftCount:
    """Counts on the hot path by whole sightings, of which there are few, and by field when the metric is read."""

    def __init__(self, provider: str, max_series: int) -> None:
        self._provider = provider
        self._max_series = max_series
        self._series: set[tuple[str, str, Drift]] = set()
        # How often each was sighted, in a list of one number: a long key takes 1 us each time that it is looked up.
        self._pending: dict[_Sighting, list[int]] = {}
        self._pending_drift = 0

    def add(self, event_type: str, api_version: str, drift: Sequence[Drift]) -> None:
        """Count one verified body; must be called from the thread that flushes."""
        if drift:
            told = tuple(drift[:MOST_TOLD])
            times = self._pending.setdefault((event_type, api_version, told), [0])
            times[0] += 1
            if times[0] == 1:
                self._pending_drift += len(told)
                if self._pending_drift > _MOST_PENDING:
                    self.flush()

    def flush(self) -> None:
        """Write what was counted to tidegate_contract_drift_total."""
        for (event_type, api_version, drift), [times] in self._pending.items():
            for one in drift:
                self._write(event_type, _version(api_version), one, times)
        self._pending.clear()
        self._pending_drift = 0

    def _write(self, event_type: str, api_version: str, drift: Drift, times: int) -> None:
        labels = (self._provider, event_type, api_version, drift.kind, drift.field_path)
        if not self._admits((event_type, api_version, drift)):
            labels = (self._provider, OTHER, OTHER, drift.kind, OTHER)
        counter("tidegate_contract_drift_total").labels(*labels).inc(times)

    def _admits(self, series: tuple[str, str, Drift]) -> bool:
        if series in self._series:
            return True
        if len(self._series) >= self._max_series:
            return False
        self._series.add(series)
        return True


def _version(api_version: str) -> str:
    """A version as it is told; other text may be anything."""
    if not api_version:
        return "(none)"
    return api_version if _PLAIN_VERSION.fullmatch(api_version) else "(odd version)"
