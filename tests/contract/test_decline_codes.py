"""Two services know decline codes: what the normaliser writes is what inference reads."""

from pathlib import Path

import yaml
from tidegate.payments.v1.unified_payment_event_pb2 import DeclineClass

from services.normalizer.declines import load_decline_classes
from services.normalizer.mappings.stripe import DECLINE_CODES

INFERENCE_RULES = Path("services/inference/decline_rules.yaml")


def test_normalizer_and_inference_class_every_code_alike() -> None:
    rows = yaml.safe_load(INFERENCE_RULES.read_text())["decline_codes"]
    inference = {row["code"]: row["class"] for row in rows}
    normalizer = {
        code: DeclineClass.Name(decline_class).removeprefix("DECLINE_CLASS_")
        for code, decline_class in load_decline_classes(DECLINE_CODES).items()
    }
    assert normalizer == inference
