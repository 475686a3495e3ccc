"""What answers of rules say about their origin: that they are a fallback, of which rules, and why."""

from tidegate.inference.v1.payment_context_pb2 import FALLBACK_CAUSE_NO_MODEL, FallbackCause, Provenance


def rules_provenance(name: str, version: str, cause: "FallbackCause" = FALLBACK_CAUSE_NO_MODEL) -> Provenance:
    """The provenance of every answer of one rule set, but for its time."""
    return Provenance(model_name=name, model_version=version, fallback=True, fallback_cause=cause)
