"""What the lakehouse adds to the engines: fetched, started and waited for only where it is asked for."""

from __future__ import annotations

from stack.engines import dagster, superset, trino
from stack.program import Program

PROFILE = "lake"

LAKE: tuple[Program, ...] = (trino.ENGINE, *dagster.PROGRAMS, superset.ENGINE)
