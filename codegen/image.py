"""Builds buf's image of the contracts: every .proto file, compiled, with its source comments."""

import subprocess
import sys
import zipfile
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from stack.artifacts import fetch

ROOT = Path(__file__).resolve().parent.parent
PROTO = ROOT / "proto"
VALIDATE_ARTIFACT = "build.buf:protovalidate:1.3.0"
VALIDATE_PROTO = "buf/validate/validate.proto"
# buf.yaml names this folder as its second module.
VALIDATE_MODULE = Path(".cache/protovalidate")


class GenerationError(Exception):
    """A generator's tool failed; the message is the tool's own."""


def tool(name: str) -> str:
    """Path of a tool of the project's own environment, so that versions are the locked ones."""
    return str(Path(sys.executable).with_name(name))


def run(*command: str, cwd: Path = ROOT) -> str:
    """Run a tool and return what it printed; raise GenerationError with its output where it failed."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise GenerationError(f"{Path(command[0]).name} {command[1]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def place_validate_proto(workspace: Path = ROOT) -> Path:
    """Put validate.proto, from its checksummed artifact, where buf.yaml of the workspace points; return its folder."""
    folder = workspace / VALIDATE_MODULE
    target = folder / VALIDATE_PROTO
    with zipfile.ZipFile(fetch(VALIDATE_ARTIFACT)) as jar:
        source = jar.read(VALIDATE_PROTO)
    if not target.exists() or target.read_bytes() != source:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source)
    return folder


def build_image(out: Path, workspace: Path = ROOT) -> FileDescriptorSet:
    """Compile the workspace's contracts into `out`; return them decoded."""
    place_validate_proto(workspace)
    run(tool("buf"), "build", "-o", str(out), cwd=workspace)
    return FileDescriptorSet.FromString(out.read_bytes())
