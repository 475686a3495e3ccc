"""What end-to-end tests start from: the run's platform, and captured webhooks."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from stack.home import REPOSITORY_ROOT, Home
from tests import engines
from tests.e2e.platform import Platform
from tests.process_logs import assert_no_unexpected_errors

_CAPTURED = REPOSITORY_ROOT.parent / "shared" / "data" / "stripe" / "envelopes"
_SERVICES = {"gateway", "normalizer", "features", "orchestrator", "inference"}
# Where the broker is killed, a producer may be at its end for good, and is replaced.
_EXPECTED_ERRORS = frozenset({"broker.unavailable"})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The crash test goes last: what it leaves behind is no other test's business."""
    items.sort(key=lambda item: "test_crash" in item.nodeid)


@pytest.fixture(scope="session")
def platform(platform: engines.Platform) -> Iterator[Platform]:
    """The run's engines and services, as end-to-end tests look at them; no service may have logged an error."""
    home = platform.engines.home
    yield Platform(home)
    services = [name for name in Home(home).read_state().processes if name.partition("-")[0] in _SERVICES]
    assert_no_unexpected_errors([home / "logs" / f"{name}.log" for name in services], _EXPECTED_ERRORS)


@pytest.fixture(scope="session")
def envelopes() -> Path:
    """The folder of captured Stripe webhooks."""
    if not _CAPTURED.is_dir():
        pytest.skip("../shared/data/stripe/envelopes is absent: captured bodies are not part of this repository")
    return _CAPTURED
