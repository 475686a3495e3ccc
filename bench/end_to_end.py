"""From the moment a webhook is due to its stored decision, through the whole platform, at a fixed rate, open loop.

The baseline is the acknowledgement of the same webhooks: what the provider sees. The ratio is what lies behind it, two
Kafka hops, a transaction of each, a workflow, the models and PostgreSQL. It has no bar; the percentiles are the figure.
"""

import asyncio
from itertools import islice

from bench.measure import Result, percentile
from bench.platform import started
from services.runtime.clock import SystemClock
from services.runtime.settings import KafkaSettings, RegistrySettings
from services.simulator.balance import event_key
from services.simulator.onlooker import Onlooker
from services.simulator.report import Answered
from services.simulator.run import Plan, Target, post_all, simulated

_PER_SECOND = 20.0
_WARM_UP = 200
_WEBHOOKS = 800
_WAIT_SECONDS = 120


def run() -> list[Result]:
    """Send at a fixed rate, wait until all is through, tell the percentiles."""
    with started() as platform:
        env = platform.environment
        onlooker = Onlooker.connect(
            KafkaSettings(kafka_bootstrap_servers=env["TIDEGATE_KAFKA_BOOTSTRAP_SERVERS"]),
            RegistrySettings(schema_registry_url=env["TIDEGATE_SCHEMA_REGISTRY_URL"]),
            env["TIDEGATE_DATABASE_URL"],
        )
        target = Target(f"{env['TIDEGATE_GATEWAY_URL']}/webhooks/stripe", env["TIDEGATE_STRIPE_WEBHOOK_SECRET"])
        try:
            _send(target, "warm-up", _WARM_UP)
            answers = _send(target, "measured", _WEBHOOKS)
            outcome = onlooker.wait(answers, _WAIT_SECONDS, lambda _done, _total: None)
        finally:
            onlooker.close()
    due = {event_key(answer): answer.due_at for answer in answers}
    stored = [(at - due[event_id]) * 1e3 for event_id, at in outcome.stored_at.items()]
    published = [(at - due[event_id]) * 1e3 for event_id, (_, at) in outcome.decisions().items()]
    acknowledged = percentile([answer.latency_ms for answer in answers], 50)
    ours = percentile(stored, 50)
    detail = {
        "stored_p50_ms": ours,
        "stored_p99_ms": percentile(stored, 99),
        "published_p50_ms": percentile(published, 50),
        "published_p99_ms": percentile(published, 99),
        "webhooks_per_second": _PER_SECOND,
    }
    what = f"webhook to decision stored at {_PER_SECOND:.0f} webhooks/s, against its acknowledgement"
    return [Result("end_to_end", what, "ms p50", ours, acknowledged, ours / acknowledged, None, "lower", detail)]


def _send(target: Target, run_id: str, number: int) -> list[Answered]:
    clock = SystemClock()
    plan = Plan(seed=3, run_id=run_id, per_second=_PER_SECOND)
    deliveries = islice(simulated(plan, clock.now()), number)
    return asyncio.run(post_all(deliveries, plan, target, clock, lambda _: None))
