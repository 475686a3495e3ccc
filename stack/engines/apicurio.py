"""Apicurio Registry: the schema registry with the Confluent-compatible API, its storage in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from stack.artifacts import unpack, unpacked_path
from stack.java import java_command, keep_new_cache
from stack.ports import LOOPBACK
from stack.probes import answer
from stack.processes import Launch
from stack.program import Context, Kind, Program
from stack.tuning import APICURIO, APICURIO_JAVA

REGISTRY_ROLE = "tidegate_registry"
REGISTRY_DATABASE = "tidegate_registry"

_ARCHIVE = "io.apicurio:apicurio-registry-app:3.3.3:tar.gz:all"


def registry_url(context: Context) -> str:
    """Base URL of the Confluent-compatible API."""
    return f"http://{LOOPBACK}:{context.ports['registry']}/apis/ccompat/v7"


def _home() -> Path:
    return unpacked_path(_ARCHIVE)


def _fetch() -> None:
    unpack(_ARCHIVE)


def _prepare(context: Context) -> None:
    context.home.data("apicurio").mkdir(parents=True, exist_ok=True)
    _settled(context)


def _launch(context: Context) -> Launch:
    database = f"jdbc:postgresql://{LOOPBACK}:{context.ports['postgresql']}/{REGISTRY_DATABASE}"
    environment = {
        **APICURIO,
        "APICURIO_DATASOURCE_URL": database,
        "APICURIO_DATASOURCE_USERNAME": REGISTRY_ROLE,
        "APICURIO_DATASOURCE_PASSWORD": context.secrets["postgresql_registry"],
        "QUARKUS_HTTP_HOST": LOOPBACK,
        "QUARKUS_HTTP_PORT": str(context.ports["registry"]),
        "QUARKUS_MANAGEMENT_HOST": LOOPBACK,
        "QUARKUS_MANAGEMENT_PORT": str(context.ports["registry-management"]),
    }
    return Launch(java_command(context, "apicurio", APICURIO_JAVA, _main()), _home(), environment)


def _ready(context: Context) -> None:
    answer(f"{registry_url(context)}/subjects")


def _settled(context: Context) -> None:
    keep_new_cache(context, "apicurio", APICURIO_JAVA, _main())


def _links(context: Context) -> Mapping[str, str]:
    return {"registry": registry_url(context)}


def _main() -> Sequence[str]:
    return ["-jar", str(_home() / "quarkus-run.jar")]


ENGINE = Program(
    name="apicurio",
    kind=Kind.ENGINE,
    ports=("registry", "registry-management"),
    secrets=("postgresql_registry",),
    needs=("postgresql",),
    fetch=_fetch,
    prepare=_prepare,
    launch=_launch,
    ready=_ready,
    settled=_settled,
    links=_links,
    stop_seconds=60.0,
    start_seconds=180.0,
)
