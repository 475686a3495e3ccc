"""tidegate-contracts as a caller gets it: a wheel, installed alone in a fresh environment, calling a real inference."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.inference_process import Inference, started

_ROOT = Path(__file__).parents[2]
_UV = str(Path(sys.executable).with_name("uv"))
_MINUTES = 5 * 60

# Ends the documented client: nothing of this repository but the contracts is there to be imported.
_ALONE = """
import importlib.util
assert [name for name in ("services", "workflows", "stack", "protovalidate") if importlib.util.find_spec(name)] == []
"""


def run(*command: str, cwd: Path, **environment: str) -> str:
    """Run a command outside of this environment; its output, or an AssertionError with it."""
    inherited = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**inherited, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_MINUTES,
        check=False,
    )
    if done.returncode:
        raise AssertionError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy so that the tree stays clean."""
    folder = tmp_path_factory.mktemp("wheel")
    source = shutil.copytree(_ROOT / "gen" / "python", folder / "source", ignore=shutil.ignore_patterns("__pycache__"))
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=source)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def fresh_python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that has the wheel and its locked dependencies, and nothing else."""
    folder = tmp_path_factory.mktemp("caller")
    environment = folder / "venv"
    run(_UV, "venv", "--python", sys.executable, str(environment), cwd=folder)
    python = environment / "bin" / "python"
    # The lock's versions, as constraints: hashes are checked where the project itself is installed.
    pins = re.findall(r"^[A-Za-z0-9._-]+==\S+", (_ROOT / "requirements.lock").read_text(), re.MULTILINE)
    constraints = folder / "constraints.txt"
    constraints.write_text("\n".join(pins))
    wanted = f"{wheel}[types]"
    run(_UV, "pip", "install", "--python", str(python), "--constraint", str(constraints), wanted, cwd=folder)
    return python


@pytest.fixture(scope="module")
def inference(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inference]:
    """A running inference."""
    with started(tmp_path_factory.mktemp("inference")) as running:
        yield running


def documented_client() -> str:
    """The Python example of docs/inference.md."""
    (client,) = re.findall(r"```python\n(.*?)```", (_ROOT / "docs" / "inference.md").read_text(), re.DOTALL)
    return str(client)


def test_the_wheel_holds_the_contracts_and_their_types_alone(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names if ".dist-info" not in name} == {"tidegate", "buf"}
    assert {"tidegate/py.typed", "buf/py.typed"} <= set(names)
    modules = [name for name in names if name.endswith(("_pb2.py", "_pb2_grpc.py"))]
    assert len(modules) > 20
    assert [name for name in modules if f"{name}i" not in names] == []


def test_the_environment_has_nothing_but_what_the_wheel_asks_for(fresh_python: Path) -> None:
    listed = run(_UV, "pip", "list", "--python", str(fresh_python), "--format", "freeze", cwd=fresh_python.parent)
    names = {line.partition("==")[0].partition(" @")[0] for line in listed.splitlines()}
    assert names == {"tidegate-contracts", "protobuf", "grpcio", "typing-extensions", "types-protobuf", "types-grpcio"}


def test_the_documented_client_calls_inference_with_the_wheel_alone(
    fresh_python: Path, inference: Inference, tmp_path: Path
) -> None:
    client = tmp_path / "client.py"
    client.write_text(documented_client() + _ALONE)
    printed = run(str(fresh_python), "-I", str(client), cwd=tmp_path, TIDEGATE_INFERENCE_ADDRESS=inference.address)
    first, second = printed.splitlines()
    # Missing funds, second try: the second rung of the ladder, 72 hours on.
    assert first == "RETRY_ACTION_RETRY 2026-11-04T12:00:00Z 13 attempts left"
    assert second == "answered by retry-rules fallback: True"


def test_a_type_checker_accepts_the_documented_client(fresh_python: Path, tmp_path: Path) -> None:
    client = tmp_path / "client.py"
    client.write_text(documented_client())
    assert "Success" in mypy(fresh_python, client)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("amount_cents=1999,", 'amount_cents="1999",'),
        ("retry.attempts_left", "retry.attempts_remaining"),
        ("AssessRequest(items=[item])", "item"),
    ],
)
def test_a_type_checker_refuses_a_wrong_one(fresh_python: Path, tmp_path: Path, right: str, wrong: str) -> None:
    """The stubs say something: a client with a mistake is not accepted."""
    client = tmp_path / "client.py"
    source = documented_client()
    assert right in source
    client.write_text(source.replace(right, wrong))
    with pytest.raises(AssertionError, match=r"client\.py:\d+: error"):
        mypy(fresh_python, client)


def mypy(python: Path, file: Path) -> str:
    """What mypy, strict and without this project's configuration, says of a file in that environment."""
    options = ["--strict", "--config-file", os.devnull, "--cache-dir", str(python.parents[2] / "mypy")]
    return run(sys.executable, "-m", "mypy", *options, "--python-executable", str(python), str(file), cwd=file.parent)
