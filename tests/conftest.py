"""The real engines for tests: one set per run, shared by all xdist workers, stopped however the run ends.

A test asks for `engines`. With TIDEGATE_TEST_HOME set to the home of running engines (`TIDEGATE_HOME=… python -m stack
up --engines-only`) those are used and left running: a fast inner loop. Otherwise a set of its own is started in a
temporary home, on free ports, with the downloads of the shared cache.
"""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.engines import (
    STOP_SECONDS,
    Engines,
    Platform,
    only_one,
    running_engines,
    stack_command,
    start,
    start_more,
    start_services,
)

_HOME_FOLDER = "engines"
_RUN_FOLDER = "tidegate-test-"
_PASSED = pytest.StashKey[bool]()

# How long an example takes says more of the machine's neighbours than of the code.
settings.register_profile("tidegate", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tidegate")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Give the run a temporary folder of its own, which its end finds again."""
    if not hasattr(config, "workerinput") and config.option.basetemp is None:
        config.option.basetemp = tempfile.mkdtemp(prefix=_RUN_FOLDER)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Remember whether all passed."""
    session.config.stash[_PASSED] = exitstatus == pytest.ExitCode.OK


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Engines:
    """The addresses of real engines, started by the first test that asks; stopped when the run ends."""
    given = os.environ.get("TIDEGATE_TEST_HOME")
    if given:
        return running_engines(Path(given).resolve())
    home = _run_folder(tmp_path_factory) / _HOME_FOLDER
    with only_one(home.with_suffix(".lock")):
        if not home.exists():
            start(home)
    return running_engines(home)


@pytest.fixture(scope="session")
def valkey(engines: Engines) -> str:
    """`redis://…` of a running Valkey, for all tests of the run: use keys of your own."""
    with only_one(engines.home.with_suffix(".lock")):
        start_more(engines.home, "valkey")
    return engines.redis_url()


@pytest.fixture(scope="session")
def mlflow(engines: Engines) -> str:
    """URL of a running MLflow with its object storage, for all tests of the run: use names of your own."""
    with only_one(engines.home.with_suffix(".lock")):
        start_more(engines.home, "postgresql", "seaweedfs", "mlflow")
    return engines.mlflow_url()


@pytest.fixture(scope="session")
def platform(engines: Engines) -> Platform:
    """Everything that `make up` starts, on the engines of this run; stopped with them."""
    with only_one(engines.home.with_suffix(".lock")):
        return start_services(engines)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the engines at the end of the run, in the process that outlives all workers."""
    if hasattr(config, "workerinput") or not config.option.basetemp:
        return
    folder = Path(config.option.basetemp)
    home = folder / _HOME_FOLDER
    if (home / "state.json").exists():
        stack_command(home, "down", timeout=STOP_SECONDS)
    if folder.name.startswith(_RUN_FOLDER):
        # Logs tell why a test failed; the engines' data do not.
        shutil.rmtree(folder if config.stash.get(_PASSED, False) else home / "data", ignore_errors=True)


def _run_folder(factory: pytest.TempPathFactory) -> Path:
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
