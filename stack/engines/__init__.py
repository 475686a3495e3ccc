"""One file per engine; each offers `ENGINE`, its row in the stack. Those of the lakehouse are in `stack.lake`."""

from __future__ import annotations

from stack.engines import apicurio, kafka, mlflow, postgresql, seaweedfs, temporal, valkey
from stack.program import Program

ENGINES: tuple[Program, ...] = (
    kafka.ENGINE,
    postgresql.ENGINE,
    apicurio.ENGINE,
    temporal.ENGINE,
    valkey.ENGINE,
    seaweedfs.ENGINE,
    mlflow.ENGINE,
)

# No service asks for these when it starts: neither deploy steps nor services wait until they are ready.
UNAWAITED: tuple[Program, ...] = (seaweedfs.ENGINE, mlflow.ENGINE)
