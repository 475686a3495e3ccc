"""Counts workflows that were closed without completing: their events were acknowledged, and are not decided."""

from services.orchestrator.ports import RunStatus
from services.runtime.metrics import counter
from services.runtime.telemetry import logger

log = logger(__name__)

_NO_LOSS: frozenset[RunStatus] = frozenset({"running", "completed", "forgotten"})


def note_close(workflow_id: str, status: RunStatus) -> None:
    """Count a close other than by completing, and say what brings the event back."""
    if status not in _NO_LOSS:
        counter("tidegate_workflow_losses_total").labels(status).inc()
        remedy = "deliver its message again: its workflow is then started anew"
        log.error("workflow.failed", workflow_id=workflow_id, status=status, remedy=remedy)
