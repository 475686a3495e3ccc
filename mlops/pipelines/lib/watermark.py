"""How far a table has been read: kept in the properties of its Iceberg table, so that it moves with the rows; pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

_XID: Final = "tidegate.watermark-xid"
_KEY: Final = "tidegate.watermark-key"
DATABASE: Final = "tidegate.database"
REJECTED_BATCH: Final = "tidegate.rejected-batch"
KEYS: Final = (_XID, _KEY, DATABASE, REJECTED_BATCH)


@dataclass(frozen=True, order=True, slots=True)
class Watermark:
    """The last row that was read: the transaction that stored it, and its key among that transaction's rows."""

    xid: int
    key: str

    def __str__(self) -> str:
        return f"{self.xid}:{self.key}" if self.key else str(self.xid)

    def properties(self) -> dict[str, str]:
        """As properties of the Iceberg table."""
        return {_XID: str(self.xid), _KEY: self.key}

    @classmethod
    def of(cls, properties: Mapping[str, str]) -> Self:
        """What a table says; before all rows where it says nothing."""
        return cls(int(properties.get(_XID, "0")), properties.get(_KEY, ""))
