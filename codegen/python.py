"""Generates gen/python: messages, stubs, gRPC clients and the packaging of tidegate-contracts.

Run as `python -m codegen.python`; the output depends on the contracts and the locked tools alone. What would break a
reader of the published contracts (gen/contracts.binpb) is refused before anything is written.
"""

import argparse
import shutil
import sys
import tempfile
import tomllib
from pathlib import Path

from codegen import published
from codegen.image import ROOT, VALIDATE_PROTO, GenerationError, build_image, run, tool

OUT = ROOT / "gen" / "python"
PACKAGING = Path(__file__).with_name("python_package.toml")
PY_TYPED_ROOTS = ("tidegate", "buf")


def generate(out: Path) -> None:
    """Write the whole package into an empty folder `out`."""
    with tempfile.TemporaryDirectory() as scratch:
        image_file = Path(scratch) / "image.binpb"
        image = build_image(image_file)
        own = sorted(f.name for f in image.file if f.name.startswith("tidegate/"))
        with_services = sorted(f.name for f in image.file if f.service and f.name.startswith("tidegate/"))
        protoc(image_file, [*own, VALIDATE_PROTO], f"--python_out={out}", f"--pyi_out={out}")
        protoc(
            image_file,
            with_services,
            f"--grpc_python_out={out}",
            f"--plugin=protoc-gen-mypy_grpc={tool('protoc-gen-mypy_grpc')}",
            f"--mypy_grpc_out={out}",
        )
    for root in PY_TYPED_ROOTS:
        (out / root / "py.typed").touch()
    (out / "pyproject.toml").write_text(PACKAGING.read_text().replace("@VERSION@", project_version()))


def protoc(image: Path, files: list[str], *options: str) -> None:
    """Run the protoc of grpc_tools over a compiled image."""
    run(sys.executable, "-m", "grpc_tools.protoc", f"--descriptor_set_in={image}", *options, *files)


def project_version() -> str:
    """The one version of the project, which the contracts share."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return str(project["version"])


def main(arguments: list[str] | None = None) -> int:
    """Regenerate gen/ in place, unless that breaks what is published: files of contracts that are gone disappear."""
    parser = argparse.ArgumentParser(prog="python -m codegen.python", description=__doc__)
    parser.add_argument("--accept-breaking", action="store_true", help="generate even what breaks published contracts")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        fresh = Path(scratch)
        try:
            if not options.accept_breaking:
                published.check_unbroken()
            generate(fresh)
            published.write(published.PUBLISHED)
        except GenerationError as error:
            print(error, file=sys.stderr)
            return 1
        for root in PY_TYPED_ROOTS:
            shutil.rmtree(OUT / root, ignore_errors=True)
        shutil.copytree(fresh, OUT, dirs_exist_ok=True)
    print(f"gen/python: {sum(1 for _ in OUT.rglob('*_pb2.py'))} contract modules")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
