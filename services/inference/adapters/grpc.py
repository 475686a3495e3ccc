"""The gRPC services as a table: which answer belongs to which method of the contracts."""

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from tidegate.inference.v1 import (
    assessment_service_pb2,
    churn_service_pb2,
    fraud_service_pb2,
    recovery_service_pb2,
    retry_service_pb2,
)

from services.inference.adapters.desk import Desk
from services.runtime import contract

Answer = Callable[[Any, float | None], Awaitable[Message]]

_DESCRIPTORS: tuple[ServiceDescriptor, ...] = tuple(
    service
    for module in (
        fraud_service_pb2,
        retry_service_pb2,
        churn_service_pb2,
        recovery_service_pb2,
        assessment_service_pb2,
    )
    for service in module.DESCRIPTOR.services_by_name.values()
)
SERVICES = tuple(service.full_name for service in _DESCRIPTORS)


def add_services(server: grpc.aio.Server, desk: Desk) -> None:
    """Register every service of the contracts; KeyError where a method of theirs has no answer."""
    answers: dict[str, Answer] = {
        "FraudService.Score": desk.score,
        "RetryService.RecommendStrategy": desk.recommend,
        "ChurnService.Predict": desk.predict,
        "RecoveryService.RecommendPlan": desk.plan,
        "AssessmentService.Assess": desk.assess,
    }
    for service in _DESCRIPTORS:
        handlers = {
            method.name: grpc.unary_unary_rpc_method_handler(
                _behaviour(answers[f"{service.name}.{method.name}"]),
                request_deserializer=GetMessageClass(method.input_type).FromString,
                response_serializer=GetMessageClass(method.output_type).SerializeToString,
            )
            for method in service.methods
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, handlers),))


def compile_contracts() -> None:
    """Compile the rules of every message now: the first check of a type takes milliseconds."""
    for service in _DESCRIPTORS:
        for method in service.methods:
            contract.broken_rules(GetMessageClass(method.input_type)())
            contract.broken_rules(GetMessageClass(method.output_type)())


def _behaviour(answer: Answer) -> Callable[[Any, Any], Awaitable[Message]]:
    async def behaviour(request: Any, context: Any) -> Message:
        return await answer(request, context.time_remaining())

    return behaviour
