"""Bronze as tables in memory: the rows of a world's history in the shape of the lake, in no order."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from mlops.features.event_rows import HISTORY_FILE
from mlops.pipelines.lib import feature_export


@dataclass(frozen=True)
class BronzeTables:
    """A BronzeReader."""

    tables: Mapping[str, Any]

    @classmethod
    def of(cls, history: Path, decisions: Any = None) -> Self:
        rows = pq.read_table(history / HISTORY_FILE)
        order = random.Random(1).sample(range(rows.num_rows), rows.num_rows)  # noqa: S311 - any order will do
        none = feature_export.SCORES_SCHEMA.empty_table()
        return cls({"payment_events": rows.take(order), "decisions": none if decisions is None else decisions})

    def snapshot_id(self, table: str) -> int | None:
        return len(self.tables[table])

    def batches(self, table: str, columns: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
        yield from self.tables[table].select(list(columns)).to_batches(500)


def exported(bronze: BronzeTables, folder: Path) -> Path:
    return feature_export.export(bronze, folder / "history").folder
