"""The addresses of a running stack as environment variables: for each process, and for `stack.env`."""

from __future__ import annotations

from collections.abc import Mapping

from stack.engines import kafka, temporal
from stack.engines.apicurio import registry_url
from stack.engines.postgresql import READER, database_url
from stack.home import STRIPE_WEBHOOK_SECRET
from stack.ports import LOOPBACK
from stack.program import Context

DEFAULT_MERCHANT = "merchant_default"


def engine_addresses(context: Context, database_role: str) -> dict[str, str]:
    """Where the engines are; the database is entered with this role."""
    return {
        "TIDEGATE_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers(context),
        "TIDEGATE_SCHEMA_REGISTRY_URL": registry_url(context),
        "TIDEGATE_TEMPORAL_ADDRESS": temporal.address(context),
        "TIDEGATE_TEMPORAL_NAMESPACE": "default",
        "TIDEGATE_DATABASE_URL": database_url(context, database_role),
    }


def service_addresses(context: Context) -> dict[str, str]:
    """Where the services are; empty as long as no port was chosen for them (`up --engines-only`)."""
    ports = context.ports
    addresses = {}
    if "gateway" in ports:
        addresses["TIDEGATE_GATEWAY_URL"] = f"http://{LOOPBACK}:{ports['gateway']}"
    if "inference" in ports:
        addresses["TIDEGATE_INFERENCE_ADDRESS"] = f"{LOOPBACK}:{ports['inference']}"
        addresses["TIDEGATE_INFERENCE_URL"] = f"http://{LOOPBACK}:{ports['inference-http']}"
    return addresses


def provider_secrets(context: Context) -> dict[str, str]:
    """The webhook secrets that were generated for this machine."""
    return {
        "TIDEGATE_STRIPE_WEBHOOK_SECRET": context.secrets[STRIPE_WEBHOOK_SECRET],
        "TIDEGATE_STRIPE_DEFAULT_MERCHANT_ID": DEFAULT_MERCHANT,
    }


def public_environment(context: Context) -> dict[str, str]:
    """The content of `stack.env`: what people and tools need to use the stack, as the reading role."""
    return {**engine_addresses(context, READER), **service_addresses(context), **provider_secrets(context)}


def render(environment: Mapping[str, str]) -> str:
    """One KEY=value a line, sorted, without quotes: no value here holds a blank or a quote."""
    return "".join(f"{key}={environment[key]}\n" for key in sorted(environment))
