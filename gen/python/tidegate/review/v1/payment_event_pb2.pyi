from buf.validate import validate_pb2 as _validate_pb2
from tidegate.decisions.v1 import payment_decision_pb2 as _payment_decision_pb2
from tidegate.inference.v1 import assessment_service_pb2 as _assessment_service_pb2
from tidegate.payments.v1 import unified_payment_event_pb2 as _unified_payment_event_pb2
from tidegate.payments.v1 import validation_failure_pb2 as _validation_failure_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PersistOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PERSIST_OUTCOME_UNSPECIFIED: _ClassVar[PersistOutcome]
    PERSIST_OUTCOME_STORED: _ClassVar[PersistOutcome]
    PERSIST_OUTCOME_DUPLICATE: _ClassVar[PersistOutcome]
    PERSIST_OUTCOME_QUARANTINED: _ClassVar[PersistOutcome]
PERSIST_OUTCOME_UNSPECIFIED: PersistOutcome
PERSIST_OUTCOME_STORED: PersistOutcome
PERSIST_OUTCOME_DUPLICATE: PersistOutcome
PERSIST_OUTCOME_QUARANTINED: PersistOutcome

class PaymentEventInput(_message.Message):
    __slots__ = ("event", "origin")
    EVENT_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    event: _unified_payment_event_pb2.UnifiedPaymentEvent
    origin: _validation_failure_pb2.MessageOrigin
    def __init__(self, event: _Optional[_Union[_unified_payment_event_pb2.UnifiedPaymentEvent, _Mapping]] = ..., origin: _Optional[_Union[_validation_failure_pb2.MessageOrigin, _Mapping]] = ...) -> None: ...

class PaymentEventResult(_message.Message):
    __slots__ = ("event_id", "action", "degraded", "outcome")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    action: _payment_decision_pb2.DecisionAction
    degraded: bool
    outcome: PersistOutcome
    def __init__(self, event_id: _Optional[str] = ..., action: _Optional[_Union[_payment_decision_pb2.DecisionAction, str]] = ..., degraded: _Optional[bool] = ..., outcome: _Optional[_Union[PersistOutcome, str]] = ...) -> None: ...

class ValidateBusinessRulesInput(_message.Message):
    __slots__ = ("event",)
    EVENT_FIELD_NUMBER: _ClassVar[int]
    event: _unified_payment_event_pb2.UnifiedPaymentEvent
    def __init__(self, event: _Optional[_Union[_unified_payment_event_pb2.UnifiedPaymentEvent, _Mapping]] = ...) -> None: ...

class ValidateBusinessRulesResult(_message.Message):
    __slots__ = ("rule_hits",)
    RULE_HITS_FIELD_NUMBER: _ClassVar[int]
    rule_hits: _containers.RepeatedCompositeFieldContainer[_payment_decision_pb2.RuleHit]
    def __init__(self, rule_hits: _Optional[_Iterable[_Union[_payment_decision_pb2.RuleHit, _Mapping]]] = ...) -> None: ...

class AssessPaymentInput(_message.Message):
    __slots__ = ("item", "event")
    ITEM_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    item: _assessment_service_pb2.AssessmentItem
    event: _unified_payment_event_pb2.UnifiedPaymentEvent
    def __init__(self, item: _Optional[_Union[_assessment_service_pb2.AssessmentItem, _Mapping]] = ..., event: _Optional[_Union[_unified_payment_event_pb2.UnifiedPaymentEvent, _Mapping]] = ...) -> None: ...

class AssessPaymentResult(_message.Message):
    __slots__ = ("assessment",)
    ASSESSMENT_FIELD_NUMBER: _ClassVar[int]
    assessment: _assessment_service_pb2.Assessment
    def __init__(self, assessment: _Optional[_Union[_assessment_service_pb2.Assessment, _Mapping]] = ...) -> None: ...

class PersistDecisionInput(_message.Message):
    __slots__ = ("event", "decision")
    EVENT_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    event: _unified_payment_event_pb2.UnifiedPaymentEvent
    decision: _payment_decision_pb2.PaymentDecision
    def __init__(self, event: _Optional[_Union[_unified_payment_event_pb2.UnifiedPaymentEvent, _Mapping]] = ..., decision: _Optional[_Union[_payment_decision_pb2.PaymentDecision, _Mapping]] = ...) -> None: ...

class PersistDecisionResult(_message.Message):
    __slots__ = ("outcome", "action", "degraded")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    outcome: PersistOutcome
    action: _payment_decision_pb2.DecisionAction
    degraded: bool
    def __init__(self, outcome: _Optional[_Union[PersistOutcome, str]] = ..., action: _Optional[_Union[_payment_decision_pb2.DecisionAction, str]] = ..., degraded: _Optional[bool] = ...) -> None: ...
