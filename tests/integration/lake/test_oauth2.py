"""The same lake behind a catalog that asks for OAuth2: entered by settings alone."""

from collections.abc import Iterator

import pyarrow as pa
import pytest
from pydantic import SecretStr

from mlops.pipelines.lib.catalog import LakeUnavailableError, open_catalog
from mlops.pipelines.settings import CatalogAuth, LakeSettings
from tests.integration.lake.oauth_gate import CREDENTIAL, SCOPE, Gate, oauth_gate
from tests.lake import Lake

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def gate(lake: Lake) -> Iterator[Gate]:
    with oauth_gate(lake.settings()) as found:
        yield found


def settings(lake: Lake, gate: Gate, credential: str = CREDENTIAL) -> LakeSettings:
    oauth2 = {"catalog_url": gate.url, "catalog_auth": CatalogAuth.OAUTH2, "catalog_scope": SCOPE}
    return lake.settings().model_copy(update={**oauth2, "catalog_credential": SecretStr(credential)})


def test_a_table_that_was_written_through_it_is_read_by_trino(lake: Lake, gate: Gate) -> None:
    catalog = open_catalog(settings(lake, gate))
    catalog.create_namespace("trial")
    rows = pa.table({"event_id": ["stripe:evt_1", "stripe:evt_2"]})
    table = catalog.create_table("trial.events", rows.schema)
    table.append(rows)
    assert catalog.load_table("trial.events").scan().to_arrow() == rows
    assert lake.query("SELECT count(*) FROM trial.events") == [[2]]
    assert gate.refused == []


def test_who_has_a_wrong_secret_gets_nowhere(lake: Lake, gate: Gate) -> None:
    with pytest.raises(LakeUnavailableError, match=r"OAuthError: .*unknown client"):
        open_catalog(settings(lake, gate, credential="lake:guessed"))
