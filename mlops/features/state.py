"""What is remembered of an entity: bounded, immutable, and the same after a journey through bytes.

Customers and cards keep their attempts one by one, merchants keep counts by hour. How far memory reaches is in the
constants here; what lies at or before a state's floor is forgotten, and a fact from there changes nothing any more.
"""

import sys
from array import array
from collections.abc import Sequence
from enum import IntEnum
from functools import lru_cache
from hashlib import blake2b
from struct import Struct
from struct import error as struct_error
from typing import Any, Final, NamedTuple, TypeAlias

from mlops.features.catalog import Entity
from mlops.features.windows import DAY_US, SIGNED, UNSIGNED, HourCounts, Marks

# The longest window of an attempt's features (90 days), and how late an event may come and still see all of it.
ATTEMPTS_KEPT_US: Final = 97 * DAY_US
# The same for merchants: 30 days, and a week.
HOURS_KEPT: Final = 37 * 24
# Attempts kept of one customer or card. Beyond it the oldest are forgotten, and counts stop growing here.
MOST_ATTEMPTS: Final = 512
# Scores, and payments given back or contested, kept of one customer or card.
MOST_MARKS: Final = 256
# Events by whose identity a merchant knows a duplicate. One that comes after this many later ones counts again.
MOST_SEEN: Final = 1024
# Failed attempts of a merchant that may still be told of a second time.
MOST_OPEN: Final = 256

# Where there is no such moment.
NEVER: Final = -(1 << 62)

# Of the bytes. States of another version are not read: the stream makes them anew from its beginning.
VERSION: Final = 1
_NUMBER: Final = Struct("<q")
_LENGTH: Final = Struct("<I")
_HASHES_KEPT: Final = 1 << 16


class StateFormatError(ValueError):
    """Bytes that are no state of this version: rebuild the entity's state from the stream's beginning."""


class EventState(NamedTuple):
    """Attempts of one customer or card, a column per property, oldest first."""

    entity: Entity
    # The newest moment that both clocks have reached.
    watermark_us: int = NEVER
    floor_us: int = NEVER
    first_seen_us: int = NEVER
    # Among what is forgotten.
    last_success_us: int = NEVER
    last_failure_us: int = NEVER
    times: "array[int]" = array(SIGNED)
    amounts: "array[int]" = array(SIGNED)
    # Of the payment, of the attempt (0 where only the payment as a whole told of it), of that telling (0 without one).
    payments: "array[int]" = array(UNSIGNED)
    attempts: "array[int]" = array(UNSIGNED)
    whole: "array[int]" = array(UNSIGNED)
    # The card of a customer's attempt, the customer of a card's; 0 where nothing says.
    peers: "array[int]" = array(UNSIGNED)
    currencies: "array[int]" = array("H")
    outcomes: bytes = b""
    declines: bytes = b""
    # Keyed by payment: millionths.
    scores: Marks = Marks.none()
    # Keyed by payment and outcome, which is the value.
    reversals: Marks = Marks.none()


class Counted(IntEnum):
    """What a merchant's hours count: attempts, and of these or beside them. Stored: an order is never changed."""

    ATTEMPTS = 0
    FAILED = 1
    FRAUD_DECLINES = 2
    REFUNDED = 3
    DISPUTED = 4


class MerchantState(NamedTuple):
    """Counts of one merchant by hour, and what tells a duplicate from a new event."""

    entity: Entity = Entity.MERCHANT
    watermark_us: int = NEVER
    first_seen_us: int = NEVER
    counts: HourCounts = HourCounts.none(len(Counted))
    # Identities of 8 bytes in the order of arrival.
    seen: bytes = b""
    # Failed attempts that were told of once: payment (8 bytes), moment, and whether by the attempt's own object.
    open_payments: bytes = b""
    open_times: "array[int]" = array(SIGNED)
    open_own: bytes = b""


State: TypeAlias = EventState | MerchantState


def empty(entity: Entity) -> State:
    """The state of an entity of which nothing is known."""
    return MerchantState() if entity is Entity.MERCHANT else EventState(entity)


@lru_cache(maxsize=_HASHES_KEPT)
def identity(text: str) -> int:
    """64 bits in place of an id, the same in every process; never 0."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little") or 1


@lru_cache(maxsize=256)
def currency_code(currency: str) -> int:
    """Three letters in 15 bits."""
    first, second, third = currency.encode()
    return (first - 65) << 10 | (second - 65) << 5 | (third - 65)


_NUMBERS: Final = {Entity.CUSTOMER: 1, Entity.CARD: 2, Entity.MERCHANT: 3}
_ENTITIES: Final = {number: entity for entity, number in _NUMBERS.items()}

# Bytes before the first part: version and kind.
_HEAD: Final = 2

_Part: TypeAlias = "int | bytes | array[int]"
_Field: TypeAlias = "_Part | Marks | HourCounts"


def encode(state: State) -> bytes:
    """The state as bytes, little-endian on every machine."""
    packed = [bytes((VERSION, _NUMBERS[state.entity]))]
    for field in _fields(state):
        packed.extend(_packed(part) for part in _parts(field))
    return b"".join(packed)


def decode(data: bytes) -> State:
    """The state that was encoded; StateFormatError."""
    version, number = data[:2].ljust(2, b"\0")
    if version != VERSION or number not in _ENTITIES:
        raise StateFormatError(f"a state of version {version} and kind {number}; this code reads version {VERSION}")
    entity = _ENTITIES[number]
    numbers, columns = _taken(data, _LAYOUTS[entity])
    state = _merchant(numbers, columns) if entity is Entity.MERCHANT else _events(entity, numbers, columns)
    if not _is_even(state):
        raise StateFormatError("columns of different lengths")
    return state


def _events(entity: Entity, numbers: Sequence[int], columns: Sequence[Any]) -> EventState:
    fields: list[Any] = [*numbers, *columns[:-6], Marks(*columns[-6:-3]), Marks(*columns[-3:])]
    return EventState(entity, *fields)


def _merchant(numbers: Sequence[int], columns: Sequence[Any]) -> MerchantState:
    counted = 1 + len(Counted)
    hours, *totals = columns[:counted]
    fields: list[Any] = [*numbers, HourCounts(hours, tuple(totals)), *columns[counted:]]
    return MerchantState(Entity.MERCHANT, *fields)


def _is_even(state: State) -> bool:
    """Whether columns that belong together are of one length."""
    if isinstance(state, MerchantState):
        hours, totals = state.counts
        kept = len(state.open_times)
        return (
            all(len(each) == len(hours) for each in totals)
            and len(state.open_payments) == kept * _NUMBER.size
            and len(state.open_own) == kept
            and len(state.seen) % _NUMBER.size == 0
        )
    columns = (
        state.times,
        state.amounts,
        state.payments,
        state.attempts,
        state.whole,
        state.peers,
        state.currencies,
        state.outcomes,
        state.declines,
    )
    return all(len(set(map(len, each))) == 1 for each in (columns, state.scores, state.reversals))


def _fields(state: State) -> tuple[Any, ...]:
    # Every field but the first, which is the kind.
    return tuple(state)[1:]


def _parts(field: _Field) -> tuple[_Part, ...]:
    match field:
        case Marks():
            return tuple(field)
        case HourCounts(hours, totals):
            return (hours, *totals)
        case _:
            return (field,)


def _packed(part: _Part) -> bytes:
    if isinstance(part, int):
        return _NUMBER.pack(part)
    data = part if isinstance(part, bytes) else _little_endian(part).tobytes()
    return _LENGTH.pack(len(data)) + data


def _little_endian(column: "array[int]") -> "array[int]":
    if sys.byteorder == "little":
        return column
    swapped = column[:]
    swapped.byteswap()
    return swapped


class _Layout(NamedTuple):
    """How the parts of a kind of state follow each other: all of its numbers, then its columns."""

    numbers: Struct
    # An array's type code for each column; none for bytes.
    columns: tuple[str | None, ...]


def _layout(state: State) -> _Layout:
    parts = [part for field in _fields(state) for part in _parts(field)]
    columns = [part for part in parts if not isinstance(part, int)]
    if parts[-len(columns) :] != columns:
        raise TypeError("a state's numbers come before its columns")
    kinds = (part.typecode if isinstance(part, array) else None for part in columns)
    return _Layout(Struct(f"<{len(parts) - len(columns)}q"), tuple(kinds))


_LAYOUTS: Final = {entity: _layout(empty(entity)) for entity in Entity}


def _taken(data: bytes, layout: _Layout) -> tuple[tuple[int, ...], list[Any]]:
    """Numbers and columns taken apart. In one loop: a read of the store decodes three states."""
    columns: list[bytes | array[int]] = []
    at, end = _HEAD + layout.numbers.size, len(data)
    try:
        numbers = layout.numbers.unpack_from(data, _HEAD)
        for kind in layout.columns:
            (length,) = _LENGTH.unpack_from(data, at)
            start = at + _LENGTH.size
            at = start + length
            column = data[start:at]
            columns.append(column if kind is None else _little_endian(array(kind, column)))
    except (struct_error, ValueError) as error:
        raise StateFormatError(f"a state or one of its columns is cut off: {error}") from error
    if at != end:
        raise StateFormatError("a state is cut off" if at > end else "bytes behind the end of a state")
    return numbers, columns
