"""Unit tests open no socket: what needs one is an integration test."""

import pytest
from pytest_socket import disable_socket


@pytest.fixture(autouse=True)
def _no_sockets() -> None:
    # Unix sockets stay: asyncio wakes its loop through a pair of them.
    disable_socket(allow_unix_socket=True)
