"""What is ingested, and where each table of bronze comes from: a table of tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

from google.protobuf.descriptor import Descriptor
from tidegate.decisions.v1.payment_decision_pb2 import PaymentDecision
from tidegate.inference.v1.prediction_logged_pb2 import PredictionLogged
from tidegate.payments.v1.unified_payment_event_pb2 import UnifiedPaymentEvent
from tidegate.payments.v1.validation_failure_pb2 import ValidationFailure

NAMESPACE: Final = "bronze"
REJECTED: Final = f"{NAMESPACE}.rejected_rows"
PREDICTIONS: Final = "predictions"
PREDICTIONS_TOPIC: Final = "inference.predictions"


@dataclass(frozen=True, slots=True)
class Source:
    """A table of PostgreSQL that is appended to, and nothing else; bronze has it under the same name."""

    name: str
    contract: Descriptor
    # Primary key, and the tie-breaker among the rows of one transaction.
    key: str
    # When what the row tells of happened: bronze is partitioned by its day.
    happened_at: str

    @property
    def table(self) -> str:
        """Its table in bronze."""
        return f"{NAMESPACE}.{self.name}"


SOURCES: Final[Mapping[str, Source]] = {
    source.name: source
    for source in (
        Source("payment_events", cast("Descriptor", UnifiedPaymentEvent.DESCRIPTOR), "event_id", "provider_created_at"),
        Source("decisions", cast("Descriptor", PaymentDecision.DESCRIPTOR), "event_id", "decided_at"),
        Source("quarantine", cast("Descriptor", ValidationFailure.DESCRIPTOR), "event_id", "failed_at"),
    )
}

FINDINGS: Final = ("feature_skew", "feature_drift", "score_drift", "model_performance")
"""Tables of `python -m mlops.monitoring`: small, and a day that is computed again replaces its rows, so bronze has each
as it stands."""

PREDICTION_CONTRACT: Final = cast("Descriptor", PredictionLogged.DESCRIPTOR)
PREDICTION_HAPPENED_AT: Final = "predicted_at"

ALL: Final = (*SOURCES, PREDICTIONS, *FINDINGS)
