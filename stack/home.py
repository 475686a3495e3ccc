"""The folder that holds one stack: its state, secrets, logs and the engines' data."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from stack.errors import StackError, storing

REPOSITORY_ROOT = Path(__file__).resolve().parent.parent

STRIPE_WEBHOOK_SECRET = "stripe_webhook_secret"  # noqa: S105 -- the name of a secret
_SECRET_BYTES = 24


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """A started process: its id, what tells it from a later process with the same id, and what it was started with."""

    pid: int
    identity: str
    launch: str


@dataclass(slots=True)
class State:
    """What `up` remembers for the next command: chosen ports by name, started processes by program name.

    `wanted` are the programs that were asked for and not stopped since, whether they came up or not.
    """

    ports: dict[str, int] = field(default_factory=dict)
    processes: dict[str, ProcessRecord] = field(default_factory=dict)
    wanted: set[str] = field(default_factory=set)

    @classmethod
    def from_json(cls, text: str) -> State:
        """Parse `state.json`; raises ValueError, KeyError or TypeError when it was damaged."""
        raw = json.loads(text)
        ports = {str(name): int(port) for name, port in raw["ports"].items()}
        processes = {name: ProcessRecord(**record) for name, record in raw["processes"].items()}
        return cls(ports, processes, set(raw.get("wanted", processes)))

    def to_json(self) -> str:
        """The text of `state.json`."""
        processes = {name: asdict(record) for name, record in self.processes.items()}
        content = {"ports": self.ports, "processes": processes, "wanted": sorted(self.wanted)}
        return json.dumps(content, indent=2, sort_keys=True) + "\n"


@dataclass(frozen=True, slots=True)
class Home:
    """Paths below one stack's folder (`.tidegate/`, or `$TIDEGATE_HOME`)."""

    root: Path

    @classmethod
    def from_environment(cls) -> Home:
        """The home that `$TIDEGATE_HOME` names, or the repository's own."""
        configured = os.environ.get("TIDEGATE_HOME")
        return cls((Path(configured).expanduser() if configured else REPOSITORY_ROOT / ".tidegate").resolve())

    @property
    def env_file(self) -> Path:
        """Where other tools read the stack's addresses."""
        return self.root / "stack.env"

    @property
    def log_folder(self) -> Path:
        """Where every program's output goes."""
        return self.root / "logs"

    def log(self, program: str) -> Path:
        """The log of the program's current (or last) run."""
        return self.log_folder / f"{program}.log"

    def data(self, engine: str) -> Path:
        """The engine's own folder."""
        return self.root / "data" / engine

    def create(self) -> None:
        """Make the folders that every stack has; readable by their owner alone where secrets lie."""
        for folder in (self.root, self.log_folder, self.root / "data"):
            folder.mkdir(parents=True, exist_ok=True)

    def read_state(self) -> State:
        """The remembered state; empty when there is none yet. Raises `StackError` when it is damaged."""
        try:
            with self._storing():
                return State.from_json(self._state_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return State()
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StackError(
                f"{self._state_file} is damaged",
                "Stop the processes it names if they still run, remove the file, then run `up` again; data is kept.",
            ) from error

    def write_state(self, state: State) -> None:
        """Replace the remembered state in one step."""
        write_private(self._state_file, state.to_json())

    def secrets(self, names: Sequence[str]) -> dict[str, str]:
        """The generated secrets of this stack; those that do not exist yet are made and kept."""
        known = self._read_secrets()
        missing = [name for name in names if name not in known]
        for name in missing:
            prefix = "whsec_" if name == STRIPE_WEBHOOK_SECRET else ""
            known[name] = prefix + secrets.token_hex(_SECRET_BYTES)
        if missing:
            write_private(self._secrets_file, json.dumps(known, indent=2, sort_keys=True) + "\n")
        return known

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold this stack for one changing command; raises `StackError` when another one has it.

        What the disk refuses to the command below this folder becomes a `StackError` as well.
        """
        with self._storing():
            self.create()
            with self._lock():
                yield

    @contextmanager
    def _lock(self) -> Iterator[None]:
        with (self.root / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise StackError(
                    f"Another stack command is at work in {self.root}", "Wait until it has finished."
                ) from error
            yield

    def _storing(self) -> AbstractContextManager[None]:
        return storing("The stack", self.root, "set TIDEGATE_HOME to another")

    @property
    def _state_file(self) -> Path:
        return self.root / "state.json"

    @property
    def _secrets_file(self) -> Path:
        return self.root / "secrets.json"

    def _read_secrets(self) -> dict[str, str]:
        try:
            raw: Mapping[str, str] = json.loads(self._secrets_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return dict(raw)


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step, readable by its owner alone."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
