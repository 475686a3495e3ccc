"""The table of Tidegate's own processes: what each is called, which ports it has, when it is ready."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence

from stack.engines.postgresql import READER, WRITER
from stack.environment import (
    engine_addresses,
    inference_addresses,
    online_store_address,
    provider_secrets,
    store_addresses,
)
from stack.home import REPOSITORY_ROOT, STRIPE_WEBHOOK_SECRET
from stack.ports import LOOPBACK
from stack.probes import answer
from stack.processes import Launch
from stack.program import Context, Kind, Program
from stack.settings import WholeNumber

NORMALIZERS = WholeNumber("TIDEGATE_STACK_NORMALIZERS", default=2, least=1, most=32)

# What inference needs of the engines' addresses: it has no business in the database.
_PREDICTION_LOG = ("TIDEGATE_KAFKA_BOOTSTRAP_SERVERS", "TIDEGATE_SCHEMA_REGISTRY_URL")

Environment = Callable[[Context], Mapping[str, str]]


def services(normalizers: int) -> tuple[Program, ...]:
    """All services, with this many normalizer processes in one consumer group."""
    return (
        _service("inference", ("inference", "inference-http"), "inference-http", _inference),
        _service("gateway", ("gateway",), "gateway", _gateway),
        *(_normalizer(f"normalizer-{number}") for number in range(1, normalizers + 1)),
        _service("features", ("features-metrics",), "features-metrics", _features),
        _service(
            "orchestrator", ("orchestrator-metrics",), "orchestrator-metrics", _orchestrator, needs=("inference",)
        ),
    )


def module_of(program: str) -> str:
    """The Python module that a service process runs: `normalizer-2` runs `services.normalizer`."""
    return f"services.{program.split('-', maxsplit=1)[0]}"


def metrics_port(program: str) -> str:
    """The name of the port on which this service serves /metrics and /readyz."""
    return {"gateway": "gateway", "inference": "inference-http"}.get(program, f"{program}-metrics")


def _normalizer(name: str) -> Program:
    return _service(name, (f"{name}-metrics",), f"{name}-metrics", _consumer(name))


def _service(
    name: str, ports: Sequence[str], ready_port: str, environment: Environment, needs: Sequence[str] = ()
) -> Program:
    def launch(context: Context) -> Launch:
        argv = [sys.executable, "-m", module_of(name)]
        return Launch(argv, REPOSITORY_ROOT, {"TIDEGATE_INSTANCE": name, **environment(context)})

    def ready(context: Context) -> None:
        answer(f"http://{LOOPBACK}:{context.ports[ready_port]}/readyz")

    def links(context: Context) -> Mapping[str, str]:
        return _links(name, context)

    return Program(
        name=name,
        kind=Kind.SERVICE,
        ports=ports,
        secrets=(STRIPE_WEBHOOK_SECRET,),
        needs=needs,
        launch=launch,
        ready=ready,
        links=links,
        start_seconds=60.0,
        stop_seconds=30.0,
    )


def _gateway(context: Context) -> Mapping[str, str]:
    return {
        **engine_addresses(context, READER),
        **provider_secrets(context),
        "TIDEGATE_GATEWAY_HOST": LOOPBACK,
        "TIDEGATE_GATEWAY_PORT": str(context.ports["gateway"]),
    }


def _inference(context: Context) -> Mapping[str, str]:
    engines = engine_addresses(context, READER)
    return {
        **{name: engines[name] for name in _PREDICTION_LOG},
        **inference_addresses(context),
        **store_addresses(context),
        "TIDEGATE_INFERENCE_MODEL_FOLDER": str(context.home.data("inference") / "models"),
    }


def _consumer(name: str) -> Environment:
    def environment(context: Context) -> Mapping[str, str]:
        return {**engine_addresses(context, READER), "TIDEGATE_METRICS_PORT": str(context.ports[f"{name}-metrics"])}

    return environment


def _features(context: Context) -> Mapping[str, str]:
    return {**_consumer("features")(context), **online_store_address(context)}


def _orchestrator(context: Context) -> Mapping[str, str]:
    return {
        **engine_addresses(context, WRITER),
        **inference_addresses(context),
        "TIDEGATE_METRICS_PORT": str(context.ports["orchestrator-metrics"]),
    }


def _links(name: str, context: Context) -> Mapping[str, str]:
    base = f"http://{LOOPBACK}:{context.ports[metrics_port(name)]}"
    if name == "gateway":
        return {"webhooks": f"{base}/webhooks/stripe", "docs": f"{base}/docs"}
    if name == "inference":
        return {"gRPC": f"{LOOPBACK}:{context.ports['inference']}", "JSON": base}
    return {"metrics": f"{base}/metrics"}
