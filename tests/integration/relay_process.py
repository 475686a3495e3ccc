"""The relay alone as a process of its own, to be killed; says a line when it is about to publish."""

import asyncio
import os
import sys

from tidegate.decisions.v1.payment_decision_pb2 import PaymentDecision

from services.orchestrator.adapters.decision_log import KafkaDecisionLog
from services.orchestrator.adapters.outbox import PostgresOutbox
from services.orchestrator.relay import Relay
from services.orchestrator.troubles import Troubles
from services.runtime.clock import SystemClock
from services.runtime.serde import TopicSerde
from tests.fakes.schema_ids import FixedSchemaIds


async def main(topic: str, name: str, bootstrap: str) -> None:
    """Publish until killed."""
    serde = TopicSerde(topic, PaymentDecision, FixedSchemaIds())
    outbox = PostgresOutbox(os.environ["TIDEGATE_DATABASE_URL"], topic=topic, application="test")

    class Log(KafkaDecisionLog):
        """Says when it is about to publish."""

        def open(self) -> None:
            super().open()
            sys.stdout.write("open\n")
            sys.stdout.flush()

    def log() -> KafkaDecisionLog:
        return Log({"bootstrap.servers": bootstrap}, serde, transactional_id=name)

    await Relay(outbox, log, Troubles(), SystemClock(), batch_rows=10, trouble_seconds=0.1).run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
