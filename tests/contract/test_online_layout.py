"""What the online store is written with is what Feast's own code writes, byte for byte; no network."""

import warnings
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from mlops.features.catalog import FEATURES, VIEWS, Dtype, View
from mlops.features.online import STORED_FIELDS, rebuilding_key
from mlops.features.online_layout import (
    COLUMNS,
    PROJECT,
    LayoutError,
    decode_moment,
    decode_value,
    encode_moment,
    encode_value,
    field_name,
    hash_key,
    moment_field,
)
from mlops.features.repo.store import REPO

with warnings.catch_warnings():
    # Feast and its own libraries warn of each other.
    warnings.simplefilter("ignore")
    from feast.infra.online_stores.helpers import _mmh3, _redis_key
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey
    from feast.protos.feast.types.Value_pb2 import Value

pytestmark = pytest.mark.usefixtures("socket_disabled")

KEYS = st.text(st.characters(codec="utf-8"), max_size=200)
INTEGERS = st.integers(-(1 << 63), (1 << 63) - 1)
NUMBERS = st.floats(allow_nan=False)
MOMENTS_US = st.integers(1, 7_258_118_400_000_000)


@given(st.sampled_from(VIEWS), KEYS, st.text("abcxyz_", min_size=1))
def test_keys_are_feasts(view: View, key: str, project: str) -> None:
    entity_key = EntityKey(join_keys=[view.join_key], entity_values=[Value(string_val=key)])
    assert hash_key(view, key, project) == _redis_key(project, entity_key)


@given(KEYS, KEYS)
def test_names_of_fields_are_feasts(view: str, feature: str) -> None:
    assert field_name(view, feature) == _mmh3(f"{view}:{feature}")


@given(INTEGERS)
def test_whole_numbers_are_feasts(number: int) -> None:
    written = encode_value(Dtype.INT64, number)
    assert written == Value(int64_val=number).SerializeToString()
    assert decode_value(written) == number


@given(NUMBERS)
def test_numbers_are_feasts(number: float) -> None:
    written = encode_value(Dtype.FLOAT64, number)
    assert written == Value(double_val=number).SerializeToString()
    assert decode_value(written) == number


def test_none_is_feasts() -> None:
    assert encode_value(Dtype.INT64, None) == encode_value(Dtype.FLOAT64, None) == Value().SerializeToString()
    assert decode_value(b"") is None
    assert decode_value(None) is None


@given(MOMENTS_US)
def test_moments_are_protobufs(moment_us: int) -> None:
    seconds, micros = divmod(moment_us, 1_000_000)
    expected = Timestamp()
    expected.FromDatetime(datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros))
    assert encode_moment(moment_us) == expected.SerializeToString()
    assert decode_moment(encode_moment(moment_us)) == moment_us


@given(st.binary(min_size=1, max_size=24))
def test_other_bytes_are_refused_or_read_as_protobuf_reads_them(data: bytes) -> None:
    try:
        read = decode_value(data)
    except LayoutError:
        return
    told = Value.FromString(data)
    expected = told.int64_val if told.WhichOneof("val") == "int64_val" else told.double_val
    assert read == expected or (read != read and expected != expected)  # noqa: PLR0124 - not a number


@pytest.mark.parametrize(
    "data", [b"\x20", b"\x20\x80", b"\x29\x00", b"\x12\x01a", b"\x20\x01\x01", b"\x29" + b"\0" * 9]
)
def test_bytes_that_are_cut_off_or_of_another_kind_are_refused(data: bytes) -> None:
    with pytest.raises(LayoutError):
        decode_value(data)


def test_no_two_fields_of_a_hash_have_one_name() -> None:
    for view in VIEWS:
        fields = [field for field, _, _ in COLUMNS[view.name]]
        fields += STORED_FIELDS[view.entity]
        assert len(set(fields)) == len(fields) == 3 + sum(each.view == view.name for each in FEATURES)
        assert moment_field(view.name) in fields


def test_the_project_is_that_of_the_feature_store() -> None:
    config = yaml.safe_load(Path(REPO / "feature_store.yaml").read_text())
    assert config["project"] == PROJECT
    assert config["entity_key_serialization_version"] == 3
    assert rebuilding_key().endswith(PROJECT)
