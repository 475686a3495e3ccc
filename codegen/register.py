"""Registers the source text of every topic's message, with its references, in the Schema Registry.

Run as `python -m codegen.register`, at deploy time. It can be run again: a text that is registered already stays as it
is. Reads TIDEGATE_SCHEMA_REGISTRY_URL and, where the registry asks for it, TIDEGATE_SCHEMA_REGISTRY_AUTH.
"""

import argparse
import difflib
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx2
from confluent_kafka.schema_registry import (
    ConfigCompatibilityLevel,
    Schema,
    SchemaReference,
    SchemaRegistryClient,
    ServerConfig,
)
from confluent_kafka.schema_registry.error import SchemaRegistryError

from codegen.image import PROTO, place_validate_proto
from codegen.topics import Topic, load_topics

COMPATIBILITY = ConfigCompatibilityLevel.BACKWARD_TRANSITIVE
_NOT_FOUND = 404
_INCOMPATIBLE = (409, 422)
_IMPORT = re.compile(r'^import\s+(?:public\s+)?"([^"]+)"\s*;', re.MULTILINE)
_WELL_KNOWN = "google/protobuf/"  # every registry and every client has these


class RegistrationError(Exception):
    """A schema could not be registered; the text says which, why and what to do."""


@dataclass(frozen=True)
class Sources:
    """The .proto texts by import path."""

    roots: tuple[Path, ...]

    def text(self, path: str) -> str:
        """The source text of one file."""
        for root in self.roots:
            if (root / path).is_file():
                return (root / path).read_text()
        raise RegistrationError(f"{path} is imported but lies in none of {', '.join(map(str, self.roots))}")

    def imports(self, path: str) -> list[str]:
        """What one file imports, without Protobuf's own files."""
        return [name for name in _IMPORT.findall(self.text(path)) if not name.startswith(_WELL_KNOWN)]

    def file_of(self, message: str) -> str:
        """The import path of the file that holds a message, by its full name."""
        package, _, name = message.rpartition(".")
        folder = package.replace(".", "/")
        for root in self.roots:
            for file in sorted((root / folder).glob("*.proto")):
                if re.search(rf"^message {name} \{{", file.read_text(), re.MULTILINE):
                    return f"{folder}/{file.name}"
        raise RegistrationError(f"no .proto file in {folder} holds message {name}")


@dataclass(frozen=True)
class Registered:
    """One subject after registration."""

    subject: str
    version: int
    is_new: bool


class Registrar:
    """Registers files after what they import, each once."""

    def __init__(self, client: SchemaRegistryClient, sources: Sources) -> None:
        self._client = client
        self._sources = sources
        self._done: dict[str, Registered] = {}

    def register(self, topics: Mapping[str, Topic]) -> Iterator[Registered]:
        """Register every topic's message under `<topic>-value`."""
        for topic in topics.values():
            yield self._register(f"{topic.name}-value", self._sources.file_of(topic.message))

    def _register(self, subject: str, path: str) -> Registered:
        if subject not in self._done:
            references = [self._reference(name) for name in self._sources.imports(path)]
            self._done[subject] = self._put(subject, Schema(self._sources.text(path), "PROTOBUF", references))
        return self._done[subject]

    def _reference(self, path: str) -> SchemaReference:
        return SchemaReference(name=path, subject=path, version=self._register(path, path).version)

    def _put(self, subject: str, schema: Schema) -> Registered:
        known = self._versions(subject)
        # Each time: the registry's own default may be NONE, and anyone may have loosened a subject since.
        self._client.set_config(subject, ServerConfig(compatibility=COMPATIBILITY))
        try:
            self._client.register_schema(subject, schema)
            found = self._client.lookup_schema(subject, schema)
        except SchemaRegistryError as error:
            raise RegistrationError(self._explain(subject, schema, error)) from error
        return Registered(subject, int(found.version or 0), found.version not in known)

    def _versions(self, subject: str) -> list[int]:
        try:
            return self._client.get_versions(subject)
        except SchemaRegistryError as error:
            if error.http_status_code == _NOT_FOUND:
                return []
            raise

    def _explain(self, subject: str, schema: Schema, error: SchemaRegistryError) -> str:
        if error.http_status_code not in _INCOMPATIBLE:
            return f"{subject}: the registry answered {error.http_status_code}: {error.error_message}"
        registered = self._client.get_latest_version(subject)
        before = (registered.schema.schema_str or "").splitlines()
        after = (schema.schema_str or "").splitlines()
        diff = difflib.unified_diff(
            before, after, f"registered (version {registered.version})", "this tree", lineterm=""
        )
        return (
            f"{subject}: the change is not {COMPATIBILITY.value}; the registry says: {error.error_message}\n"
            + "\n".join(f"    {line}" for line in diff)
            + "\n    Keep the old field numbers, names and types; add new fields instead."
        )


def main(arguments: list[str] | None = None) -> int:
    """Register everything; 0 when all is registered, 1 with the reason when something is not."""
    parser = argparse.ArgumentParser(prog="python -m codegen.register", description=__doc__)
    parser.add_argument("--proto", type=Path, default=PROTO, help="folder of the contracts (default: proto)")
    options = parser.parse_args(arguments)
    url = os.environ.get("TIDEGATE_SCHEMA_REGISTRY_URL")
    if not url:
        print("TIDEGATE_SCHEMA_REGISTRY_URL is not set; `make up` writes it to .tidegate/stack.env", file=sys.stderr)
        return 1
    config = {"url": url}
    if auth := os.environ.get("TIDEGATE_SCHEMA_REGISTRY_AUTH"):
        config["basic.auth.user.info"] = auth
    sources = Sources((options.proto, place_validate_proto()))
    try:
        with closing(SchemaRegistryClient(config)) as client:
            results = list(Registrar(client, sources).register(load_topics(options.proto / "topics")))
    except RegistrationError as error:
        print(error, file=sys.stderr)
        return 1
    except (OSError, httpx2.HTTPError) as error:
        print(
            f"the Schema Registry at {url} cannot be reached: {type(error).__name__}; is it up? `make status`",
            file=sys.stderr,
        )
        return 1
    for result in results:
        print(f"  {result.subject:40} version {result.version}{'  new' if result.is_new else ''}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
