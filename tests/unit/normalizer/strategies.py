"""Hypothesis strategies: any message of a contract, valid or not, and valid Stripe webhooks with odd values."""

from typing import Any, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st

ODD_TEXTS = st.sampled_from(["", " ", "null", "NULL", "None", "none", "Null ", "\t", "0", "é", "x" * 300])
TEXTS = ODD_TEXTS | st.text(st.characters(codec="utf-8"), max_size=40)
INT64 = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([0, 1, 99, 100, 2**31, 253402300799, 253402300800])

_SCALARS = {
    FieldDescriptor.CPPTYPE_INT32: st.integers(-(2**31), 2**31 - 1) | st.integers(0, 13),
    FieldDescriptor.CPPTYPE_INT64: INT64,
    FieldDescriptor.CPPTYPE_UINT32: st.integers(0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_BOOL: st.booleans(),
    FieldDescriptor.CPPTYPE_ENUM: st.integers(0, 20),
}


def messages(message_type: type[Message], depth: int = 4) -> st.SearchStrategy[Any]:
    """Any message of a type: each field absent or filled with anything its wire type can hold."""
    descriptor = cast("Descriptor", message_type.DESCRIPTOR)
    fields = {field.name: _values(field, depth) for field in descriptor.fields if depth or not field.message_type}
    return st.fixed_dictionaries({}, optional=fields).map(lambda values: message_type(**values))


def _values(field: FieldDescriptor, depth: int) -> st.SearchStrategy[Any]:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return st.dictionaries(TEXTS, TEXTS, max_size=4)
    one = _one(field, depth)
    return st.lists(one, max_size=2) if field.is_repeated else one


def _one(field: FieldDescriptor, depth: int) -> st.SearchStrategy[Any]:
    if field.message_type is not None:
        return messages(GetMessageClass(field.message_type), depth - 1)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return st.binary(max_size=40)
    if field.type == FieldDescriptor.TYPE_STRING:
        return TEXTS
    return _SCALARS[field.cpp_type]
