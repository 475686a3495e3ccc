"""One file per engine; each offers `ENGINE`, its row in the stack."""

from __future__ import annotations

from stack.engines import apicurio, kafka, postgresql, temporal, valkey
from stack.program import Program

ENGINES: tuple[Program, ...] = (kafka.ENGINE, postgresql.ENGINE, apicurio.ENGINE, temporal.ENGINE, valkey.ENGINE)
