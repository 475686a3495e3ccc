"""How engines are described: what a launch says, without starting anything."""

import stat
from pathlib import Path

import pytest

from stack.engines import ENGINES, valkey
from stack.errors import StackError
from stack.home import Home
from stack.processes import Launch
from stack.program import Context, launch_fingerprint


@pytest.fixture
def context(tmp_path: Path) -> Context:
    ports = {port: 20000 + number for number, port in enumerate(port for one in ENGINES for port in one.ports)}
    secrets = {secret: f"secret-of-{secret}" for one in ENGINES for secret in one.secrets}
    return Context(Home(tmp_path), ports, secrets)


def launched(context: Context, name: str) -> Launch:
    (found,) = [one for one in ENGINES if one.name == name]
    return found.launch(context)


@pytest.mark.parametrize("name", ["valkey"])
def test_no_secret_stands_among_the_arguments_where_everybody_can_read_it(context: Context, name: str) -> None:
    assert not [argument for argument in launched(context, name).argv if "secret-of-" in argument]


def test_valkey_listens_on_loopback_and_asks_for_a_password(context: Context) -> None:
    lines = valkey.configuration(context).splitlines()
    assert {"bind 127.0.0.1", f"port {context.ports['valkey']}", "requirepass secret-of-valkey"} <= set(lines)
    assert {"appendonly yes", "appendfsync everysec", "maxmemory-policy noeviction", "maxmemory 256mb"} <= set(lines)


def test_valkeys_configuration_is_its_owners_alone(context: Context) -> None:
    valkey.ENGINE.prepare(context)
    file = Path(launched(context, "valkey").argv[1])
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text() == valkey.configuration(context)


def test_another_memory_limit_restarts_valkey(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    before = launch_fingerprint(launched(context, "valkey"))
    monkeypatch.setenv("TIDEGATE_STACK_VALKEY_MEMORY_MIB", "512")
    assert launch_fingerprint(launched(context, "valkey")) != before
    assert "maxmemory 512mb" in valkey.configuration(context)


def test_a_senseless_memory_limit_is_refused(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_STACK_VALKEY_MEMORY_MIB", "1gb")
    with pytest.raises(StackError, match="TIDEGATE_STACK_VALKEY_MEMORY_MIB"):
        launched(context, "valkey")
