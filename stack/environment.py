"""The addresses of a running stack as environment variables: for each process, and for `stack.env`."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping

from stack.engines import kafka, temporal, trino
from stack.engines.apicurio import registry_url
from stack.engines.mlflow import tracking_url
from stack.engines.postgresql import LAKE, MONITOR, READER, database_url
from stack.engines.seaweedfs import LAKE_WAREHOUSE, catalog_url, endpoint_url, s3_environment
from stack.engines.valkey import redis_url
from stack.home import STRIPE_WEBHOOK_SECRET
from stack.ports import LOOPBACK
from stack.program import Context

STRIPE_SECRET_SETTING = "TIDEGATE_STRIPE_WEBHOOK_SECRET"  # noqa: S105 - a name
DEFAULT_MERCHANT = "merchant_default"


def engine_addresses(context: Context, database_role: str) -> dict[str, str]:
    """Where the engines are; the database is entered with this role."""
    return {
        "TIDEGATE_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers(context),
        "TIDEGATE_SCHEMA_REGISTRY_URL": registry_url(context),
        "TIDEGATE_TEMPORAL_ADDRESS": temporal.address(context),
        "TIDEGATE_TEMPORAL_NAMESPACE": temporal.NAMESPACE,
        "TIDEGATE_DATABASE_URL": database_url(context, database_role),
    }


def online_store_address(context: Context) -> dict[str, str]:
    """Where features are looked up and written; for those alone that do."""
    return {"TIDEGATE_REDIS_URL": redis_url(context)}


def model_store_address(context: Context) -> dict[str, str]:
    """Where models are logged, registered and read from."""
    return {"TIDEGATE_MLFLOW_URL": tracking_url(context)}


def store_addresses(context: Context) -> dict[str, str]:
    """Both, for people and tools."""
    return {**online_store_address(context), **model_store_address(context)}


def lake_addresses(context: Context) -> dict[str, str]:
    """All that ingest, dbt and orchestration need, with the credentials of the lake: for its own processes alone."""
    return {
        **engine_addresses(context, LAKE),
        **store_addresses(context),
        **lake_pages(context, context.ports),
        **s3_environment(context),
        "TIDEGATE_HOME": str(context.home.root),
        "TIDEGATE_MONITOR_DATABASE_URL": database_url(context, MONITOR),  # where `make monitor` keeps its findings
        "TIDEGATE_S3_URL": endpoint_url(context),
        "TIDEGATE_CATALOG_URL": catalog_url(context),
        "TIDEGATE_CATALOG_WAREHOUSE": LAKE_WAREHOUSE,
        "TIDEGATE_CATALOG_AUTH": "sigv4",
        "TIDEGATE_CATALOG_SIGNING_NAME": "s3tables",
        "DAGSTER_HOME": str(context.home.data("dagster")),
    }


def lake_pages(context: Context, known: Collection[str]) -> dict[str, str]:
    """Where Trino, Dagster and Superset are reached: those of them that are among the known."""
    environment: dict[str, str] = {}
    if "trino" in known:
        environment |= {"TIDEGATE_TRINO_URL": trino.url(context), "TIDEGATE_TRINO_USER": trino.USER}
    for name in ("dagster", "superset"):
        if name in known:
            environment[f"TIDEGATE_{name.upper()}_URL"] = f"http://{LOOPBACK}:{context.ports[name]}"
    return environment


def gateway_address(context: Context) -> dict[str, str]:
    """Where webhooks are posted to."""
    return {"TIDEGATE_GATEWAY_URL": f"http://{LOOPBACK}:{context.ports['gateway']}"}


def inference_addresses(context: Context) -> dict[str, str]:
    """Where predictions are asked for, by gRPC and as JSON."""
    return {
        "TIDEGATE_INFERENCE_ADDRESS": f"{LOOPBACK}:{context.ports['inference']}",
        "TIDEGATE_INFERENCE_URL": f"http://{LOOPBACK}:{context.ports['inference-http']}",
    }


def provider_secrets(context: Context) -> dict[str, str]:
    """The webhook secrets of this stack: what the caller's environment names, else those generated for the machine."""
    return {
        STRIPE_SECRET_SETTING: os.environ.get(STRIPE_SECRET_SETTING) or context.secrets[STRIPE_WEBHOOK_SECRET],
        "TIDEGATE_STRIPE_DEFAULT_MERCHANT_ID": DEFAULT_MERCHANT,
    }


def public_environment(context: Context, running: Collection[str]) -> dict[str, str]:
    """The content of `stack.env`: what people and tools need to use the stack, as the reading role.

    The addresses of services that do not run are missing.
    """
    pages = {"TIDEGATE_TEMPORAL_UI_URL": temporal.ui_url(context)}
    environment = {
        **engine_addresses(context, READER),
        **store_addresses(context),
        **pages,
        **lake_pages(context, running),
        **provider_secrets(context),
    }
    if "gateway" in running:
        environment |= gateway_address(context)
    if "inference" in running:
        environment |= inference_addresses(context)
    return environment


def render(environment: Mapping[str, str]) -> str:
    """One KEY=value a line, sorted, without quotes: no value here holds a blank or a quote."""
    return "".join(f"{key}={environment[key]}\n" for key in sorted(environment))
