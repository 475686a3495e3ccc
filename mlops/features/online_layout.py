"""Feast's own layout of the online store in bytes: where a view's values lie, and how each of them is written.

Written here and not by Feast, since that takes seconds to import and tables with it, and not by its generated messages,
which only Feast's wheel has: two kinds of values and one form of key are all that is needed. A test proves on fuzzed
keys and values that Feast reads what this writes, and that this reads what Feast wrote.

One hash holds one entity: its key is Feast's entity key (version 3) and the project's name; its fields are named by
murmur3 of `view:feature` and hold Feast's Value message. `_ts:<view>` is the moment that the values are of.
"""

from struct import Struct, error
from typing import Final

import mmh3
from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp

from mlops.features.catalog import FEATURES, VIEWS, Dtype, View

# As in feature_store.yaml.
PROJECT: Final = "tidegate"

# Of Feast's Value message: tags of the fields int64_val (4) and double_val (5).
_INT64: Final = b"\x20"
_DOUBLE: Final = b"\x29"
# Feast's ValueType.STRING.
_STRING: Final = 2
_ONE_JOIN_KEY: Final = Struct("<I").pack(1)
_KIND_AND_LENGTH: Final = Struct("<II")
_FLOAT: Final = Struct("<d")
_WORD: Final = 1 << 64
_LONGEST_VARINT: Final = 10
_MILLION: Final = 1_000_000


class LayoutError(ValueError):
    """Bytes that are not what Feast, or this, would have written there."""


def hash_key(view: View, key: str, project: str = PROJECT) -> bytes:
    """Where an entity's values are."""
    return b"".join((_ONE_JOIN_KEY, _text(view.join_key), _text(key), project.encode()))


def _text(text: str) -> bytes:
    data = text.encode()
    return _KIND_AND_LENGTH.pack(_STRING, len(data)) + data


def field_name(view: str, feature: str) -> bytes:
    """Under what a feature's value stands in its entity's hash."""
    return mmh3.hash(f"{view}:{feature}", signed=False).to_bytes(4, "little")


def moment_field(view: str) -> bytes:
    """Under what the moment of a view's values stands."""
    return f"_ts:{view}".encode()


# Field, name and type of each feature of a view, in the order of the catalog.
COLUMNS: Final = {
    view.name: tuple(
        (field_name(view.name, feature.name), feature.name, feature.dtype)
        for feature in FEATURES
        if feature.view == view.name
    )
    for view in VIEWS
}


def encode_value(dtype: Dtype, value: float | None) -> bytes:
    """Feast's Value; no bytes for none."""
    if value is None:
        return b""
    if dtype is Dtype.FLOAT64:
        return _DOUBLE + _FLOAT.pack(value)
    return _INT64 + _varint(int(value) % _WORD)


def decode_value(data: bytes | None) -> float | None:
    """The value that was written, by us or by Feast; None for none. LayoutError."""
    if not data:
        return None
    kind, rest = data[:1], data[1:]
    try:
        if kind == _DOUBLE:
            return float(_FLOAT.unpack(rest)[0])
    except error as wrong:
        raise LayoutError("a number of the wrong length") from wrong
    if kind == _INT64:
        word = _word(rest)
        return word - _WORD if word >= _WORD >> 1 else word
    raise LayoutError("a value that is neither int64 nor double")


def encode_moment(moment_us: int) -> bytes:
    """A moment, microseconds since 1970, as Feast writes it."""
    seconds, micros = divmod(moment_us, _MILLION)
    return Timestamp(seconds=seconds, nanos=micros * 1000).SerializeToString()


def decode_moment(data: bytes | None) -> int | None:
    """The moment in microseconds since 1970, cut off below; None for none. LayoutError."""
    if not data:
        return None
    try:
        moment = Timestamp.FromString(data)
    except DecodeError as wrong:
        raise LayoutError("bytes that are no moment") from wrong
    return moment.seconds * _MILLION + moment.nanos // 1000


def _varint(word: int) -> bytes:
    if word < 0x80:  # noqa: PLR2004 - seven bits a byte; most counts are small
        return bytes((word,))
    out = bytearray()
    while word > 0x7F:  # noqa: PLR2004 - as above
        out.append(word & 0x7F | 0x80)
        word >>= 7
    out.append(word)
    return bytes(out)


def _word(data: bytes) -> int:
    *more, last = data or (0x80,)
    if len(data) > _LONGEST_VARINT or last & 0x80 or not all(each & 0x80 for each in more):
        raise LayoutError("a whole number that is cut off")
    return sum((each & 0x7F) << 7 * place for place, each in enumerate(data)) % _WORD
