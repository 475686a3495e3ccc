"""Reads the business rules from PostgreSQL, those that matter to the events of many workflows in one query."""

from collections.abc import Sequence
from typing import Final

from tidegate.decisions.v1.payment_decision_pb2 import RuleHit
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent

from services.orchestrator.adapters.coalescer import Coalescer
from services.orchestrator.adapters.database import REFUSALS, Database, DatabaseUnavailableError, reason_of
from services.orchestrator.rulebook import EVERY_MERCHANT, Rulebook, identities
from workflows.errors import RulesUnavailableError
from workflows.storage import text

_READ: Final = """
SELECT kind, value, merchant_id, NULL FROM tidegate.blocklist
WHERE value = ANY (%(values)s) AND merchant_id = ANY (%(merchants)s) AND (expires_at IS NULL OR expires_at > now())
UNION ALL
SELECT NULL, currency, merchant_id, max_amount_cents FROM tidegate.merchant_limits
WHERE merchant_id = ANY (%(merchants)s)
"""


class PostgresBusinessRules:
    """BusinessRules that are read anew for each batch: an entry counts from the moment it is committed."""

    def __init__(self, database: Database, *, batch_rows: int) -> None:
        self._database = database
        self._batches: Coalescer[UnifiedPaymentEvent, Sequence[RuleHit]] = Coalescer(self._check, most_items=batch_rows)

    async def check(self, events: Sequence[UnifiedPaymentEvent]) -> Sequence[Sequence[RuleHit]]:
        """Rules that each event breaks."""
        return await self._batches.submit(events) if events else ()

    async def _check(self, batch: Sequence[UnifiedPaymentEvent]) -> Sequence[Sequence[RuleHit]]:
        rulebook = await self._read(batch)
        return [rulebook.broken_by(event) for event in batch]

    async def _read(self, batch: Sequence[UnifiedPaymentEvent]) -> Rulebook:
        values = {text(value) for event in batch for _, value in identities(event)}
        merchants = {EVERY_MERCHANT, *(text(event.merchant_id) for event in batch)}
        try:
            async with self._database.connection() as connection:
                cursor = await connection.execute(_READ, {"values": list(values), "merchants": list(merchants)})
                rows = await cursor.fetchall()
        except REFUSALS as error:
            raise RulesUnavailableError(f"PostgreSQL refuses the query: {reason_of(error)}") from None
        except DatabaseUnavailableError as error:
            raise RulesUnavailableError(str(error)) from None
        return Rulebook(
            blocklist={(kind, value, merchant) for kind, value, merchant, _ in rows if kind is not None},
            limits={(merchant, currency): limit for kind, currency, merchant, limit in rows if kind is None},
        )
