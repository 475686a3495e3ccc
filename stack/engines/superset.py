"""Superset in a Python environment of its own: its tables in PostgreSQL, its questions to Trino."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from stack.engines import trino
from stack.engines.postgresql import SUPERSET as ROLE
from stack.engines.postgresql import database_url
from stack.errors import StackError
from stack.home import REPOSITORY_ROOT
from stack.ports import LOOPBACK
from stack.probes import answer
from stack.processes import Launch
from stack.program import Context, Kind, Program
from stack.python_environment import environment_python, install_environment
from stack.tuning import SUPERSET, SUPERSET_COMMAND

PUBLISHER = "dashboards"  # whom `python -m stack env` serves with what publishing needs
ADMIN_SECRET = "superset_admin"  # noqa: S105 -- the name of a secret
ANALYST_SECRET = "superset_analyst"  # noqa: S105 -- the name of a secret

_KEY = "superset_secret_key"
_FOLDER = REPOSITORY_ROOT / "deploy" / "superset"
_LOCK = _FOLDER / "requirements.lock"
_CONFIGURATION = _FOLDER / "superset_config.py"
_PREPARE = _FOLDER / "prepare.py"
_PREPARE_SECONDS = 300.0


def url(context: Context) -> str:
    """Where people look at dashboards."""
    return f"http://{LOOPBACK}:{context.ports['superset']}"


def publisher_environment(context: Context) -> dict[str, str]:
    """What `deploy/superset/publish.py` needs: both addresses, and as whom to sign in."""
    return {
        "TIDEGATE_SUPERSET_URL": url(context),
        "TIDEGATE_TRINO_URL": trino.url(context),
        "TIDEGATE_DASHBOARDS_USER": trino.DASHBOARDS_USER,
        "TIDEGATE_SUPERSET_USER": "admin",
        "TIDEGATE_SUPERSET_PASSWORD": context.secrets[ADMIN_SECRET],
    }


def _fetch() -> None:
    install_environment("superset", _LOCK)


def _data(context: Context) -> Path:
    return context.home.data("superset")


def _environment(context: Context) -> dict[str, str]:
    return {
        **SUPERSET,
        "SUPERSET_CONFIG_PATH": str(_CONFIGURATION),
        "SUPERSET_HOME": str(_data(context)),
        "TIDEGATE_SUPERSET_DATABASE_URL": database_url(context, ROLE, ROLE),
        "TIDEGATE_SUPERSET_SECRET_KEY": context.secrets[_KEY],
        "TIDEGATE_SUPERSET_CACHE_FOLDER": str(_data(context) / "cache"),
    }


def _prepare(context: Context) -> None:
    _data(context).mkdir(parents=True, exist_ok=True)
    made = _data(context) / f"tables-{_release(context)}"
    if not made.exists():
        _make_tables(context)
        made.touch()


def _release(context: Context) -> str:
    """Changes with all that decides what is in the tables: packages, settings, roles, first passwords."""
    files = [path.read_bytes() for path in (_LOCK, _CONFIGURATION, _PREPARE)]
    passwords = [context.secrets[name].encode() for name in (ADMIN_SECRET, ANALYST_SECRET)]
    return hashlib.sha256(b"\0".join([*files, *passwords])).hexdigest()[:12]


def _make_tables(context: Context) -> None:
    passwords = {
        "TIDEGATE_SUPERSET_ADMIN_PASSWORD": context.secrets[ADMIN_SECRET],
        "TIDEGATE_SUPERSET_ANALYST_PASSWORD": context.secrets[ANALYST_SECRET],
    }
    done = subprocess.run(
        [str(environment_python("superset", _LOCK)), str(_PREPARE)],
        cwd=_data(context),
        env={**os.environ, **_environment(context), **passwords},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_PREPARE_SECONDS,
        check=False,
    )
    if done.returncode:
        raise StackError(
            f"Superset's tables could not be made:\n{(done.stdout + done.stderr).strip()[-1500:]}",
            f"Correct the cause and run `up` again. Its database is {ROLE}; dashboards are published again from files.",
        )


def _launch(context: Context) -> Launch:
    address = f"{LOOPBACK}:{context.ports['superset']}"
    argv = [
        str(environment_python("superset", _LOCK)),
        *SUPERSET_COMMAND,
        "--bind",
        address,
        "superset.app:create_app()",
    ]
    return Launch(argv, _data(context), _environment(context), configuration=_CONFIGURATION.read_text(encoding="utf-8"))


def _ready(context: Context) -> None:
    answer(f"{url(context)}/health")


def _links(context: Context) -> Mapping[str, str]:
    return {"UI": f"{url(context)} (users admin and analyst; passwords in {context.home.root / 'secrets.json'})"}


ENGINE = Program(
    name="superset",
    kind=Kind.ENGINE,
    ports=("superset",),
    secrets=(_KEY, ADMIN_SECRET, ANALYST_SECRET),
    needs=("postgresql",),  # and Trino, but not before the first chart
    fetch=_fetch,
    prepare=_prepare,
    launch=_launch,
    ready=_ready,
    links=_links,
    start_seconds=180.0,
)
