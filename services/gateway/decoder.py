"""Picks out of JSON what a Protobuf contract takes, with one decoder per contract compiled from its descriptor.

What JSON may stand for what, stricter than Protobuf's own JSON mapping, since nothing here may guess at money:

- string fields take strings, bool fields take booleans, integer fields take numbers written as integers and within the
  field's range. So 10.0, 1e3, "10" and true are no integers: they are type changes, and the field stays unset.
- null and a missing name mean the same: unset.
- an element of a list or a value of a map that does not fit is left out; the ones that fit are kept.
- names are the contract's own, which are the provider's; of a name that appears twice the parser keeps the last.

Whatever does not fit is reported as drift and never raised: the contract's rules decide whether the message can do
without it. Below an unknown name nothing is looked at.

What a body costs is bounded, however it is made: of a list or map the first elements are read, of an object's unknown
names the first are told, and a body's drift is told up to MOST_TOLD. That there is more is drift too.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, Final, Literal, NamedTuple

from google.protobuf.descriptor import Descriptor, FieldDescriptor

DriftKind = Literal["unknown_field", "type_change", "not_read"]


class Drift(NamedTuple):
    """One difference between a body and its contract."""

    kind: DriftKind
    # Path in the body, such as "data.object.amount"; elements of lists are "[]", values of maps "{}". What is not read
    # of a list or a map, and not told of an object's unknown names, is "(more)".
    field_path: str


_PLAIN: Final[Mapping[int, type]] = {FieldDescriptor.TYPE_BOOL: bool, FieldDescriptor.TYPE_STRING: str}
_RANGES: Final[Mapping[int, tuple[int, int]]] = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
# What is read of a list of objects: each may break every rule of its contract, which takes protovalidate 0.1 ms apiece.
# Stripe puts up to 10 into a list within an object.
MOST_OBJECTS: Final = 20
# What is read of a list of scalars and of a map. Stripe's metadata has up to 50 keys.
MOST_ENTRIES: Final = 100
# Drift of one body; Stripe's newest bodies have some 60 differences from the contracts.
MOST_TOLD: Final = 500
# Bodies of one API version share their names, so what to do with a set of names is worked out once.
_MOST_SHAPES: Final = 256
# Names of one object that are looked at one by one; Stripe's largest objects have some 50.
_MOST_NAMES: Final = 256
_MORE: Final = "(more)"
_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9_]{1,64}")

_Fits = Callable[[Any], bool]
_Pick = Callable[[Any, list[Drift]], Any]


class _Plan(NamedTuple):
    """What to do with objects of one set of names."""

    unknown: tuple[Drift, ...]
    # Each name with what does the work; None from a pick leaves the field unset.
    plain: tuple[tuple[str, type, Drift], ...]
    integers: tuple[tuple[str, int, int, Drift], ...]
    picks: tuple[tuple[str, _Pick], ...]


class MessageDecoder:
    """Picks the fields of one message type, as a mapping that the message's constructor takes.

    Safe to share between calls: it keeps nothing of what it reads but names.
    """

    def __init__(self, descriptor: Descriptor, *, at: str = "", structural: frozenset[str] = frozenset()) -> None:
        """Compile the decoder; TypeError for a contract with fields that have no agreed JSON form.

        `at` is where the object stands in the body, such as "data.object." with its dot. `structural` are names that
        are no drift although the contract leaves them out, at any depth.
        """
        _refuse_recursion(descriptor, ())
        self._at = at
        self._structural = structural
        self._fields = {field.name: field for field in descriptor.fields}
        self._picks = {field.name: self._pick(field) for field in descriptor.fields if _is_compound(field)}
        for field in descriptor.fields:
            _refuse_formless(field)
        self._plans: dict[tuple[str, ...], _Plan] = {}

    def __call__(self, value: Mapping[str, Any], drift: list[Drift]) -> dict[str, Any]:
        """What `value` has of the contract; what does not fit is appended to `drift`.

        `value` is what a strict JSON parser made: its strings are valid Unicode. Raises nothing.
        """
        if len(value) <= _MOST_NAMES:
            names = tuple(value)
        else:
            names = self._few(value)
            drift.append(Drift("not_read", self._at + _MORE))
        plan = self._plans.get(names) or self._plan(names, is_told=len(drift) < MOST_TOLD)
        drift += plan.unknown
        fields: dict[str, Any] = {}
        for name, json_type, type_change in plan.plain:
            item = value[name]
            if type(item) is json_type:
                fields[name] = item
            elif item is not None:
                drift.append(type_change)
        for name, least, most, type_change in plan.integers:
            item = value[name]
            if type(item) is int and least <= item <= most:
                fields[name] = item
            elif item is not None:
                drift.append(type_change)
        for name, pick in plan.picks:
            item = value[name]
            if item is not None and (picked := pick(item, drift)) is not None:
                fields[name] = picked
        return fields

    def _few(self, value: Mapping[str, Any]) -> tuple[str, ...]:
        """The contract's names in an object that has very many others, and the first of the others."""
        known = [name for name in self._fields if name in value]
        return tuple(dict.fromkeys([*known, *islice(value, _MOST_NAMES)]))

    def _plan(self, names: tuple[str, ...], *, is_told: bool) -> _Plan:
        singles = [self._fields[name] for name in names if name in self._fields and name not in self._picks]
        plan = _Plan(
            unknown=tuple(dict.fromkeys(self._unknown(names))) if is_told else (),
            plain=tuple(
                (field.name, _PLAIN[field.type], self._change(field)) for field in singles if field.type in _PLAIN
            ),
            integers=tuple(
                (field.name, *_RANGES[field.cpp_type], self._change(field))
                for field in singles
                if field.cpp_type in _RANGES
            ),
            picks=tuple((name, self._picks[name]) for name in names if name in self._picks),
        )
        if is_told and len(self._plans) < _MOST_SHAPES and len(names) <= _MOST_NAMES:
            self._plans[names] = plan
        return plan

    def _unknown(self, names: tuple[str, ...]) -> Iterator[Drift]:
        known = self._fields.keys() | self._structural
        for name in names:
            if name not in known:
                # A name that no API would use may be content, such as an address used as a key.
                shown = name if _PLAIN_NAME.fullmatch(name) else "(odd name)"
                yield Drift("unknown_field", self._at + shown)

    def _change(self, field: FieldDescriptor, within: str = "") -> Drift:
        return Drift("type_change", self._at + field.name + within)

    def _not_read(self, field: FieldDescriptor, within: str) -> Drift:
        return Drift("not_read", self._at + field.name + within + _MORE)

    def _pick(self, field: FieldDescriptor) -> _Pick:
        if _is_map(field):
            return self._map(field)
        if field.is_repeated:
            return self._list(field)
        return self._object(
            field, MessageDecoder(field.message_type, at=f"{self._at}{field.name}.", structural=self._structural)
        )

    def _object(self, field: FieldDescriptor, decode: "MessageDecoder") -> _Pick:
        type_change = self._change(field)

        def pick(item: Any, drift: list[Drift]) -> dict[str, Any] | None:
            if type(item) is dict:
                return decode(item, drift)
            drift.append(type_change)
            return None

        return pick

    def _list(self, field: FieldDescriptor) -> _Pick:
        type_change = self._change(field)
        not_read = self._not_read(field, "[]")
        most = MOST_ENTRIES if field.message_type is None else MOST_OBJECTS
        pick_element = self._element(field)

        def pick(item: Any, drift: list[Drift]) -> list[Any] | None:
            if type(item) is not list:
                drift.append(type_change)
                return None
            if len(item) > most:
                drift.append(not_read)
                item = item[:most]
            picked = [pick_element(element, drift) for element in item]
            return [element for element in picked if element is not None]

        return pick

    def _element(self, field: FieldDescriptor) -> _Pick:
        element_change = self._change(field, "[]")
        fits = _fits(field)
        decode = None
        if field.message_type is not None:
            decode = MessageDecoder(field.message_type, at=f"{self._at}{field.name}[].", structural=self._structural)

        def pick(element: Any, drift: list[Drift]) -> Any:
            if not fits(element):
                drift.append(element_change)
                return None
            return element if decode is None else decode(element, drift)

        return pick

    def _map(self, field: FieldDescriptor) -> _Pick:
        type_change = self._change(field)
        value_change = self._change(field, "{}")  # a map's key is content, so it is not told
        not_read = self._not_read(field, "{}")
        fits = _fits(field.message_type.fields_by_name["value"])

        def pick(item: Any, drift: list[Drift]) -> dict[str, Any] | None:
            if type(item) is not dict:
                drift.append(type_change)
                return None
            if len(item) > MOST_ENTRIES:
                drift.append(not_read)
                item = dict(islice(item.items(), MOST_ENTRIES))
            fitting = {key: entry for key, entry in item.items() if fits(entry)}
            drift += [value_change] * (len(item) - len(fitting))
            # An empty map is no map; the message's constructor would spend 5 us on finding that out.
            return fitting or None

        return pick


def _fits(field: FieldDescriptor) -> _Fits:
    if field.message_type is not None:
        return lambda item: type(item) is dict
    if field.type in _PLAIN:
        json_type = _PLAIN[field.type]
        return lambda item: type(item) is json_type
    least, most = _RANGES[field.cpp_type]
    return lambda item: type(item) is int and least <= item <= most


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def _is_compound(field: FieldDescriptor) -> bool:
    return bool(field.is_repeated) or field.message_type is not None


def _refuse_formless(field: FieldDescriptor) -> None:
    if _is_map(field):
        entry = field.message_type.fields_by_name
        # Only maps from strings to scalars.
        has_form = entry["key"].type == FieldDescriptor.TYPE_STRING and entry["value"].message_type is None
        has_form = has_form and _has_form(entry["value"])
    else:
        has_form = _has_form(field)
    # `optional` is a oneof of one field that protoc makes up; a real one would need an order of preference.
    if not has_form or (field.containing_oneof is not None and len(field.containing_oneof.fields) > 1):
        raise TypeError(f"{field.full_name}: no JSON form is agreed for fields of this type")


def _has_form(field: FieldDescriptor) -> bool:
    if field.message_type is not None:
        return not field.message_type.full_name.startswith("google.protobuf.")
    return field.type in _PLAIN or field.cpp_type in _RANGES


def _refuse_recursion(descriptor: Descriptor, around: tuple[str, ...]) -> None:
    if descriptor.full_name in around:
        raise TypeError(f"{descriptor.full_name} contains itself: its depth would be the sender's choice")
    for field in descriptor.fields:
        if field.message_type is not None:
            _refuse_recursion(field.message_type, (*around, descriptor.full_name))
