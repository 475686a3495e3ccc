"""How far a table has been read: kept in the properties of its Iceberg table, so that it moves with the rows; pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, Self

_XID: Final = "tidegate.watermark-xid"
_KEY: Final = "tidegate.watermark-key"
DATABASE: Final = "tidegate.database"
REJECTED_BATCH: Final = "tidegate.rejected-batch"
KEYS: Final = (_XID, _KEY, DATABASE, REJECTED_BATCH)
_INGESTED_AT: Final = "tidegate.ingested-at"
_TAKEN_OUT_AT: Final = "tidegate.taken-out-at"
_A_MOMENT: Final = timedelta(microseconds=1)


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


def moment_after(properties: Mapping[str, str], now: datetime) -> tuple[datetime, dict[str, str]]:
    """The ingested_at of a table's next commit, and the properties that keep it: now, or right behind the last one.

    By it dbt and checks tell what they have read. A clock that was ahead and is set right would hide rows from them.
    """
    last = properties.get(_INGESTED_AT)
    moment = now if last is None else max(now, datetime.fromisoformat(last) + _A_MOMENT)
    return moment, {_INGESTED_AT: moment.astimezone(UTC).isoformat(timespec="microseconds")}


def taken_out(moment: datetime) -> dict[str, str]:
    """Properties of a commit that takes rows out, or puts them in otherwise than behind the watermark."""
    return {_TAKEN_OUT_AT: moment.astimezone(UTC).isoformat(timespec="microseconds")}


class Reach(NamedTuple):
    """A state of a table of bronze: what of PostgreSQL it has, its newest batch, and when rows were last taken out."""

    until: Watermark
    ingested_at: str
    taken_out_at: str

    @classmethod
    def of(cls, properties: Mapping[str, str]) -> Self:
        """What a table says; nothing in words where it does not."""
        return cls(Watermark.of(properties), properties.get(_INGESTED_AT, ""), properties.get(_TAKEN_OUT_AT, ""))

    def only_grew_since(self, earlier: "Reach") -> bool:
        """Whether it has all that it had then, and what came behind it can be told on both sides.

        By its ingested_at, and by the index of stored_xid, which has no rows of before there was such a column.
        """
        can_be_told = bool(earlier.ingested_at) and earlier.until.xid > 0
        return can_be_told and earlier.taken_out_at == self.taken_out_at and earlier.until <= self.until

    @property
    def literal(self) -> str:
        """Its ingested_at in Trino's SQL."""
        return f"timestamp '{datetime.fromisoformat(self.ingested_at):%Y-%m-%d %H:%M:%S.%f} UTC'"

    def told(self) -> dict[str, str]:
        """By name, as it can be kept elsewhere."""
        return {"xid": str(self.until.xid), "key": self.until.key, **dict(zip(self._fields[1:], self[1:], strict=True))}

    @classmethod
    def from_told(cls, told: Mapping[str, str]) -> Self:
        """What `told` gave. KeyError."""
        return cls(Watermark(int(told["xid"]), told["key"]), told["ingested_at"], told["taken_out_at"])
