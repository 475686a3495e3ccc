"""Whatever is personal or secret in a contract says so."""

import importlib
import re
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from tidegate.annotations.v1.sensitivity_pb2 import SENSITIVITY_PERSONAL, SENSITIVITY_SECRET, sensitivity

# Names that hold personal or secret values wherever they stand.
TELLING = re.compile(
    r"^(customer|customer_id|.*fingerprint|last4|card_last_four|raw_body|metadata|.*email.*|.*secret.*)$"
)


def messages() -> list[Descriptor]:
    found: list[Descriptor] = []
    for file in sorted(Path("gen/python/tidegate").rglob("*_pb2.py")):
        module = importlib.import_module(".".join(file.relative_to("gen/python").with_suffix("").parts))
        found.extend(module.DESCRIPTOR.message_types_by_name.values())
    return found


def fields() -> list[FieldDescriptor]:
    return [field for message in messages() for field in message.fields]


def level(field: FieldDescriptor) -> int | None:
    options = field.GetOptions()
    mark: Any = sensitivity  # its generated type is plain FieldDescriptor
    return int(options.Extensions[mark]) if options.HasExtension(mark) else None


def test_telling_names_are_marked() -> None:
    unmarked = [field.full_name for field in fields() if TELLING.match(field.name) and level(field) is None]
    assert unmarked == []


def test_every_mark_states_a_level() -> None:
    levels = {level(field) for field in fields()}
    assert levels == {None, SENSITIVITY_PERSONAL, SENSITIVITY_SECRET}


def test_no_floating_point_field_is_named_like_money() -> None:
    floats = {FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT}
    assert [f.full_name for f in fields() if f.type in floats and re.search("amount|cents|price", f.name)] == []
