"""Captured webhook bodies from a folder, as events whose outcome the simulator does not know."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from services.simulator.events import Event, Expected
from services.simulator.ids import StripeIds


def read_folder(folder: Path, ids: StripeIds | None) -> Iterator[Event]:
    """Every *.json below the folder, by name. With `ids` each event gets a fresh id; else bytes are posted as they are.

    Raises FileNotFoundError when the folder holds none.
    """
    files = sorted(folder.rglob("*.json"))
    if not files:
        raise FileNotFoundError(f"{folder} holds no *.json; name a folder of captured webhook bodies")
    for file in files:
        yield captured_event(file.relative_to(folder).as_posix(), file.read_bytes(), ids)


def captured_event(name: str, raw: bytes, ids: StripeIds | None) -> Event:
    """One captured body; what cannot be parsed, or has no id, is posted as it is."""
    try:
        body = json.loads(raw)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        return Event("", "", raw, Expected.ACCOUNTED, file=name)
    if ids is not None and "id" in body:
        body["id"] = ids.new("evt")
        raw = json.dumps(body, ensure_ascii=False, indent=2).encode()
    return _as_event(name, body, raw)


def _as_event(name: str, body: dict[str, Any], raw: bytes) -> Event:
    data = body.get("data")
    shown = data.get("object") if isinstance(data, dict) else None
    amount, currency = (shown.get("amount"), shown.get("currency")) if isinstance(shown, dict) else (None, None)
    return Event(
        event_id=str(body.get("id", "")),
        type=str(body.get("type", "")),
        body=raw,
        expected=Expected.ACCOUNTED,
        amount=amount if isinstance(amount, int) else None,
        currency=currency if isinstance(currency, str) else None,
        merchant_id=body.get("account"),
        file=name,
    )
