"""The lake that tests use: Trino and the Iceberg catalog on the engines of the run."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NamespaceNotEmptyError
from trino.dbapi import connect

from mlops.pipelines.lib.catalog import open_catalog
from mlops.pipelines.settings import LakeSettings
from stack.engines.trino import CATALOG, DASHBOARDS_USER, READ_ONLY_CATALOG
from stack.environment import lake_addresses
from stack.home import Home
from stack.program import Context
from tests.engines import Engines

ENGINES = ("postgresql", "seaweedfs", "trino")
_QUERY_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Lake:
    """Where the lake of this run is; one module of tests has it at a time, and finds it empty."""

    engines: Engines

    def environment(self, database: str = "tidegate") -> dict[str, str]:
        """Settings for ingest, dbt and Dagster as processes of their own; the database is entered as tidegate_lake."""
        home = Home(self.engines.home)
        addresses = lake_addresses(Context(home, home.read_state().ports, home.secrets([])))
        monitored = self.engines.database_url("monitor", database)
        own = self.engines.database_url("lake", database)
        return {**addresses, "TIDEGATE_DATABASE_URL": own, "TIDEGATE_MONITOR_DATABASE_URL": monitored}

    def settings(self, database: str = "tidegate") -> LakeSettings:
        """The same, for code that runs in the test's own process."""
        names: Mapping[str, str] = {
            "AWS_ACCESS_KEY_ID": "s3_access_key_id",
            "AWS_SECRET_ACCESS_KEY": "s3_secret_access_key",
            "AWS_DEFAULT_REGION": "s3_region",
        }
        given = self.environment(database)
        fields: dict[str, Any] = {
            field: value
            for name, value in given.items()
            if (field := names.get(name, name.removeprefix("TIDEGATE_").lower())) in LakeSettings.model_fields
        }
        return LakeSettings(**fields)

    def catalog(self) -> Catalog:
        """The Iceberg catalog, as PyIceberg sees it."""
        return open_catalog(self.settings())

    def query(self, statement: str, user: str = "tidegate") -> list[Sequence[Any]]:
        """The rows that Trino answers this user, in the catalog that it has; raises what Trino refuses it with."""
        address = urlsplit(self.environment()["TIDEGATE_TRINO_URL"])
        catalog = READ_ONLY_CATALOG if user == DASHBOARDS_USER else CATALOG
        where = {"host": address.hostname, "port": address.port, "user": user, "catalog": catalog}
        with connect(**where, request_timeout=_QUERY_SECONDS) as connection:  # type: ignore[no-untyped-call]
            cursor = connection.cursor()
            cursor.execute(statement)
            return list(cursor.fetchall())

    def empty(self) -> None:
        """Drop every table and view.

        A namespace stays where a create that was killed has left files behind, which are no table.
        """
        catalog = self.catalog()
        for namespace in catalog.list_namespaces():
            for view in catalog.list_views(namespace):
                catalog.drop_view(view)
            for table in catalog.list_tables(namespace):
                catalog.drop_table(table)
            with suppress(NamespaceNotEmptyError):
                catalog.drop_namespace(namespace)
