"""Keeps the loop going: waits for what is missing, and takes another stream when one is lost."""

import threading
from collections.abc import Callable
from typing import Final, TypeAlias

from services.features.decoding import Decoder
from services.features.loop import FloodError, Loop
from services.features.ports import Stream, StreamLostError
from services.runtime.errors import DeployStepMissingError, NeighbourUnavailableError
from services.runtime.readiness import Readiness
from services.runtime.telemetry import logger

_log = logger(__name__)
_PAUSE_SECONDS: Final = 2.0

Connect: TypeAlias = "Callable[[], tuple[Stream, Decoder]]"
"""Connects to what the loop needs from the start. Raises NeighbourUnavailableError and DeployStepMissingError."""


def serve(connect: Connect, loop: Loop, readiness: Readiness, stopping: threading.Event) -> None:
    """Work until told to stop."""
    while (connected := _connect_patiently(connect, readiness, stopping)) is not None:
        stream, decoder = connected
        try:
            loop.run(stream, decoder)
        except FloodError as error:
            # Stays up, not ready, until somebody looks: a restart by a supervisor would come to the same messages.
            readiness.missing = f"flood: {error}"
            stopping.wait()
        except StreamLostError as error:
            readiness.missing = str(error)
            _log.warning("broker.unavailable", reason=str(error))
            stopping.wait(_PAUSE_SECONDS)
        finally:
            stream.close()


def _connect_patiently(
    connect: Connect, readiness: Readiness, stopping: threading.Event
) -> tuple[Stream, Decoder] | None:
    """Try until it works; None when told to stop before."""
    told = None
    while not stopping.is_set():
        try:
            connected = connect()
        except (NeighbourUnavailableError, DeployStepMissingError) as error:
            readiness.missing = str(error)
            if readiness.missing != told:
                told = readiness.missing
                _log.warning("process.waiting", reason=told)
            stopping.wait(_PAUSE_SECONDS)
        else:
            readiness.missing = "features: not yet at the first message"
            readiness.beat()
            _log.info("process.started")
            return connected
    return None
