"""Keeps the loop going: waits for what is missing, starts anew when a stream is lost, gives up when that is no help."""

import threading
from collections.abc import Callable
from typing import Final

from services.normalizer.loop import RESUME, FloodStoppedError, Loop
from services.normalizer.pipeline import Pipeline
from services.normalizer.ports import Stream, StreamHeldError, StreamLostError
from services.runtime.errors import DeployStepMissingError, NeighbourUnavailableError
from services.runtime.readiness import Readiness
from services.runtime.telemetry import logger

EXIT_STOPPED: Final = 0
EXIT_FAILED: Final = 1
EXIT_FLOOD: Final = 3

_log = logger(__name__)
_PAUSE_SECONDS = 2.0
# Streams lost one after the other without a batch in between.
_MOST_LOST = 10

Connect = Callable[[], tuple[Stream, Pipeline]]
"""Connects to all neighbours. Raises NeighbourUnavailableError, DeployStepMissingError or StreamHeldError."""


def serve(connect: Connect, loop: Loop, readiness: Readiness, stopping: threading.Event) -> int:
    """Work until told to stop; the exit code of the process."""
    lost = 0
    while (connected := _connect_patiently(connect, readiness, stopping)) is not None:
        stream, pipeline = connected
        delivered = loop.batches_delivered
        try:
            loop.run(stream, pipeline)
        except FloodStoppedError as error:
            _log.error("process.failed", reason=f"flood: {error}")
            return EXIT_FLOOD
        except StreamHeldError as error:
            readiness.missing = _on_hold(error)
        except StreamLostError as error:
            lost = 1 if loop.batches_delivered > delivered else lost + 1
            readiness.missing = str(error)
            _log.warning("broker.unavailable", reason=str(error), lost=lost)
            if lost >= _MOST_LOST:
                _log.error("process.failed", reason=f"{lost} streams were lost in a row; the last: {error}")
                return EXIT_FAILED
            stopping.wait(_PAUSE_SECONDS)
        finally:
            stream.close()
    return EXIT_STOPPED


def _connect_patiently(
    connect: Connect, readiness: Readiness, stopping: threading.Event
) -> tuple[Stream, Pipeline] | None:
    """Try until it works; None when told to stop before."""
    told = None
    while not stopping.is_set():
        try:
            connected = connect()
        except StreamHeldError as error:
            missing = _on_hold(error)
        except (NeighbourUnavailableError, DeployStepMissingError) as error:
            missing = str(error)
        else:
            readiness.missing = None
            readiness.beat()
            _log.info("process.started")
            return connected
        readiness.missing = missing
        if missing != told:
            _log.warning("process.waiting", reason=missing)
            told = missing
        stopping.wait(_PAUSE_SECONDS)
    return None


def _on_hold(error: StreamHeldError) -> str:
    return f"a flood was stopped: {error}; {RESUME}"
