"""Settings of the normalizer, from the environment; read by its entry point only."""

from pathlib import Path

from pydantic import Field

from services.runtime.settings import TidegateSettings


class NormalizerSettings(TidegateSettings):
    """How one normalizer process works. Names in the environment: TIDEGATE_ and the field's name in capitals."""

    # Table of further currencies, in the form of services/normalizer/currencies.yaml, which it extends.
    currencies_file: Path | None = None
    # Most messages in one transaction. A commit takes tens of milliseconds whatever its size: larger batches carry more
    # per second under a backlog, and let the first message of each wait longer.
    normalizer_batch_records: int = Field(default=1000, ge=1, le=10_000)
    # How long the first message of a batch waits for others.
    normalizer_batch_linger_ms: int = Field(default=5, ge=0, le=1000)
    # After a crash, readers of committed messages wait this long for what was open (unless a process of the same
    # TIDEGATE_INSTANCE is back sooner). A transaction that takes longer is aborted by the broker.
    normalizer_transaction_timeout_ms: int = Field(default=15_000, ge=1000, le=900_000)
    # The flood limit: more than this many failures ...
    normalizer_flood_failures: int = Field(default=500, ge=1)
    # ... among this many messages stop the process, and put the partitions on hold. A burst of a few hundred bad
    # messages passes; a bad deploy puts at most `failures` messages a process into the DLQ.
    normalizer_flood_window: int = Field(default=1000, ge=2)
