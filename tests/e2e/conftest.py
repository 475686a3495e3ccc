"""What end-to-end tests start from: the run's platform, and captured webhooks."""

from pathlib import Path

import pytest

from stack.home import REPOSITORY_ROOT
from tests import engines
from tests.e2e.platform import Platform

_CAPTURED = REPOSITORY_ROOT.parent / "shared" / "data" / "stripe" / "envelopes"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The crash test goes last: what it leaves behind is no other test's business."""
    items.sort(key=lambda item: "test_crash" in item.nodeid)


@pytest.fixture(scope="session")
def platform(platform: engines.Platform) -> Platform:
    """The run's engines and services, as end-to-end tests look at them."""
    return Platform(platform.engines.home)


@pytest.fixture(scope="session")
def envelopes() -> Path:
    """The folder of captured Stripe webhooks."""
    if not _CAPTURED.is_dir():
        pytest.skip("../shared/data/stripe/envelopes is absent: captured bodies are not part of this repository")
    return _CAPTURED
