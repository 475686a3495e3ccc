"""What a mapping table says: rows from a provider's fields to the unified ones, and where an object stands."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message
from tidegate.ingress.v1.receipt_pb2 import Provider
from tidegate.payments.v1.unified_payment_event_pb2 import PaymentStatus

from services.runtime.errors import BrokenRule


@dataclass(frozen=True, slots=True)
class Text:
    """A text field: the first source that is present, in the spelling that `rewrite` gives it.

    Paths lead through messages; `list[0].field` reads the first of a list, `list[only]` an element that stands alone.
    `rewrite` answers None for a value that says nothing about the target.
    """

    target: str
    sources: tuple[str, ...]
    rewrite: Callable[[str], str | None] | None = None


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number that is no amount: the first source that is present."""

    target: str
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount of money in the object's currency, in ISO 4217 minor units."""

    target: str
    source: str


@dataclass(frozen=True, slots=True)
class Part:
    """Rows for a message inside the object: their sources are fields of the first of these messages that is present.

    `path[field=word]` is present only where the message says that word in that field.
    """

    messages: tuple[str, ...]
    rows: tuple[Text | Number, ...]


Row = Text | Number | Amount | Part


@dataclass(frozen=True, slots=True)
class Standing:
    """What happened, and where the payment, refund or dispute stands after it."""

    event_type: str
    status: PaymentStatus


@dataclass(frozen=True, slots=True)
class Failure:
    """Where an object says why it failed. Read only when a payment's status is FAILED or a refund's REFUND_FAILED."""

    # Codes of the failure; the most specific one of them is kept.
    codes: tuple[str, ...]
    rows: tuple[Text, ...]
    # Whether a card was declined, so that there is a class of decline.
    is_decline: bool = True


@dataclass(frozen=True, slots=True)
class ObjectMapping:
    """How one object of one provider becomes a UnifiedPaymentEvent: a table, with a function only for the standing."""

    provider: Provider
    webhook: type[Message]
    # Field of the webhook's message that holds the object.
    object_field: str
    # Where the object lies in the provider's body.
    body_path: str
    # Ids of the payment the object belongs to; the first that is present.
    payment_id: tuple[str, ...]
    rows: tuple[Row, ...]
    # From the provider's event type and the object; a broken rule where they do not tell.
    standing: Callable[[str, Any], Standing | BrokenRule]
    failure: Failure | None = None

    @property
    def prefix(self) -> str:
        """The provider's name in our ids: "stripe" in "stripe:evt_1"."""
        return Provider.Name(self.provider).removeprefix("PROVIDER_").lower()


def source_paths(mapping: ObjectMapping) -> Mapping[str, str]:
    """Where the provider's body holds what each unified field is made of; the first source where there are several."""
    sources = {"currency": "currency", "metadata": "metadata", "status": "status", "payment_id": mapping.payment_id[0]}
    if mapping.failure is not None:
        sources |= {"failure_code": mapping.failure.codes[0], "decline_class": mapping.failure.codes[0]}
    for row in (*mapping.rows, *(mapping.failure.rows if mapping.failure else ())):
        sources |= _sources_of(row)
    in_object = {target: f"{mapping.body_path}.{source}" for target, source in sources.items()}
    envelope = {"event_id": "id", "provider_event_id": "id", "event_type": "type", "provider_created_at": "created"}
    return in_object | envelope


def _sources_of(row: Row) -> Mapping[str, str]:
    if isinstance(row, Part):
        return {inner.target: f"{row.messages[0].partition('[')[0]}.{inner.sources[0]}" for inner in row.rows}
    return {row.target: row.source if isinstance(row, Amount) else row.sources[0]}
