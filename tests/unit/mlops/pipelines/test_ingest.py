"""The small pure parts of ingest: watermarks, whose they are, what PostgreSQL sends, what settings say."""

from datetime import UTC, datetime
from typing import cast

import pyarrow as pa
import pytest
from confluent_kafka import Message as Record
from pydantic import SecretStr
from pyiceberg.exceptions import ServiceUnavailableError
from tidegate.inference.v1.assessment_service_pb2 import QUESTION_FRAUD
from tidegate.inference.v1.prediction_logged_pb2 import PredictionLogged

from mlops.pipelines.lib.appended import check_database
from mlops.pipelines.lib.catalog import LakeUnavailableError, catalog_properties, told_of_lake
from mlops.pipelines.lib.columns import TEXTS, TIMESTAMP, Column
from mlops.pipelines.lib.database import Frontier, _read
from mlops.pipelines.lib.lake import OtherDatabaseError
from mlops.pipelines.lib.predictions import _row, offsets, prediction_row
from mlops.pipelines.lib.watermark import Watermark
from mlops.pipelines.settings import CatalogAuth, LakeSettings, LakeSettingsError, lake_settings

_HERE, _THERE = {"tidegate.database": "1/5"}, {"tidegate.database": "2/5"}


def test_a_watermark_comes_back_as_it_was_written() -> None:
    mark = Watermark(1 << 40, "stripe:evt_ü")
    assert Watermark.of(mark.properties()) == mark
    assert Watermark.of({}) < Watermark(0, "a") < mark


@pytest.mark.parametrize("known", [{}, _HERE])
def test_a_database_is_read_that_is_new_or_the_same(known: dict[str, str]) -> None:
    check_database("decisions", known, "1/5", Watermark(9, ""), Frontier(10, 10))


@pytest.mark.parametrize(("known", "xid"), [(_THERE, 9), (_HERE, 10)])
def test_a_database_is_refused_that_is_another_or_behind_the_watermark(known: dict[str, str], xid: int) -> None:
    with pytest.raises(OtherDatabaseError, match=r"adopt decisions.*rebuild decisions"):
        check_database("decisions", known, "1/5", Watermark(xid, ""), Frontier(10, 10))


def test_what_copy_sends_is_read_with_null_and_empty_apart() -> None:
    columns = [
        Column("text", pa.string()),
        Column("at", TIMESTAMP),
        Column("yes", pa.bool_()),
        Column("steps", TEXTS),
        Column("amount", pa.int64()),
    ]
    lines = [
        b'"two\nlines, ""quoted""",2026-11-23 16:18:30.123456+00,t,"[""a"",""b""]",7\n',
        b'"",2026-11-23 16:18:30+00,f,[],-1\n',
        b",,,,\n",
    ]
    at = datetime(2026, 11, 23, 16, 18, 30, tzinfo=UTC)
    assert [list(row.values()) for row in _read(lines, columns).to_pylist()] == [
        ['two\nlines, "quoted"', at.replace(microsecond=123456), True, ["a", "b"], 7],
        ["", at, False, [], -1],
        [None, None, None, None, None],
    ]
    assert _read([], columns).num_rows == 0


def test_a_prediction_is_a_row_with_its_enums_in_words_and_its_lists_as_json() -> None:
    logged = PredictionLogged(payment_id="p", question=QUESTION_FRAUD, score=0.5)
    logged.features.add(name="customer_stats:failed_payments_7d", value=0.0)
    row = prediction_row(logged, 1_500)
    assert (row["question"], row["event_id"], row["score"]) == ("fraud", None, 0.5)
    assert row["features"] == '[{"name": "customer_stats:failed_payments_7d", "value": 0.0}]'
    assert row["stored_at"] == datetime.fromtimestamp(1.5, UTC)


def test_offsets_are_read_from_a_tables_properties() -> None:
    assert offsets({"tidegate.offset.3": "17", "tidegate.kafka-cluster": "x"}) == {3: 17}


_SIGNED = {
    "TIDEGATE_CATALOG_URL": "http://127.0.0.1:1", "TIDEGATE_CATALOG_WAREHOUSE": "s3://lake",
    "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "s3cret",
}  # fmt: skip


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("CATALOG_URL", "CATALOG_WAREHOUSE", "CATALOG_AUTH", "CATALOG_CREDENTIAL", "DATABASE_URL", "S3_URL"):
        monkeypatch.delenv(f"TIDEGATE_{name}", raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_requests_to_seaweedfs_are_signed(environment: pytest.MonkeyPatch) -> None:
    for name, value in _SIGNED.items():
        environment.setenv(name, value)
    told = catalog_properties(lake_settings())
    assert (told["rest.sigv4-enabled"], told["rest.signing-name"]) == ("true", "s3tables")
    assert "credential" not in told


def with_polaris(key: str | None) -> LakeSettings:
    return LakeSettings(
        catalog_url="http://polaris",
        catalog_warehouse="w",
        catalog_auth=CatalogAuth.OAUTH2,
        catalog_credential=SecretStr("id:s3cret"),
        catalog_scope="PRINCIPAL_ROLE:ALL",
        s3_access_key_id=key,
        s3_secret_access_key=None if key is None else SecretStr("s3cret"),
        s3_region="eu-west-1",
    )


def test_polaris_is_asked_for_a_token_and_vends_keys() -> None:
    told = catalog_properties(with_polaris(key=None))
    assert (told["credential"], told["scope"]) == ("id:s3cret", "PRINCIPAL_ROLE:ALL")
    assert told["oauth2-server-uri"] == "http://polaris/v1/oauth/tokens"
    assert {"rest.sigv4-enabled", "client.access-key-id", "header.X-Iceberg-Access-Delegation"}.isdisjoint(told)


def test_polaris_is_asked_for_no_keys_by_who_has_some() -> None:
    told = catalog_properties(with_polaris(key="own"))
    assert (told["client.access-key-id"], told["header.X-Iceberg-Access-Delegation"]) == ("own", "")


def test_settings_that_are_missing_are_named_with_what_to_do_and_no_value(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TIDEGATE_CATALOG_AUTH", "s3cret")
    with pytest.raises(LakeSettingsError) as told:
        lake_settings()
    assert "TIDEGATE_CATALOG_URL" in str(told.value)
    assert "stack env lake" in str(told.value)
    assert "s3cret" not in str(told.value)


@pytest.mark.parametrize("error", [ServiceUnavailableError("503: busy"), OSError("AWS Error NETWORK_CONNECTION")])
def test_a_lake_that_goes_away_is_told_of_in_a_line(error: Exception) -> None:
    with pytest.raises(LakeUnavailableError, match=f"{type(error).__name__}.*make status"), told_of_lake():
        raise error


class _Record:
    """What Kafka gives of one message, as far as it is looked at."""

    def __init__(self, message: PredictionLogged) -> None:
        self._value = b"\0\0\0\0\7\0" + message.SerializeToString()

    def value(self) -> bytes:
        return self._value

    def timestamp(self) -> tuple[int, int]:
        return 1, 1_772_000_000_000


def test_a_prediction_of_a_moment_that_no_calendar_has_is_no_row_and_stops_none() -> None:
    kept, lost = PredictionLogged(payment_id="stripe:pi_1"), PredictionLogged(payment_id="stripe:pi_2")
    lost.predicted_at.seconds = 10**15
    assert [_row(cast("Record", _Record(each))) is None for each in (kept, lost)] == [False, True]
