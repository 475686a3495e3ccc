"""Fetches locked Maven artifacts into a cache that all stacks of a machine can share.

    from stack.artifacts import fetch, fetch_section, unpack
    jar = fetch("build.buf:protovalidate:1.3.0")          # Path of one verified file
    jars = fetch_section("kafka")                         # Paths of all jars of an engine
    home = unpack("io.apicurio:…:3.3.3:tar.gz:all")       # Path of the unpacked archive

Every file is verified against `maven.lock` each time it is asked for; a corrupt one is fetched anew.
The cache is `$TIDEGATE_CACHE`, or `.cache` of the repository; `$TIDEGATE_MAVEN_MIRROR` names another
Maven repository to fetch from.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TextIO

import httpx

from stack.errors import StackError, storing
from stack.maven import Coordinate, LockedArtifact, read_lock
from stack.progress import TransferLine

REPOSITORY_ROOT = Path(__file__).resolve().parent.parent

_PARTIAL = ".partial-"
_ATTEMPTS = 3
_CHUNK_BYTES = 1 << 18
_PARALLEL_DOWNLOADS = 4
_SPARE_BYTES = 256 << 20  # left free beside the files themselves: engines need room for data
_UNPACKED_FACTOR = 2  # an unpacked archive of jars is about as large as the archive; both exist for a moment
_TIMEOUT = httpx.Timeout(30.0, connect=15.0)


def cache_directory() -> Path:
    """Where verified artifacts are kept; `$TIDEGATE_CACHE` or `.cache` of the repository."""
    configured = os.environ.get("TIDEGATE_CACHE")
    return Path(configured).expanduser() if configured else REPOSITORY_ROOT / ".cache"


def fetch(coordinate: str) -> Path:
    """Return the verified local file of one locked coordinate, downloading it when needed.

    Raises `StackError` when it is not locked, cannot be fetched, or does not match its checksum.
    """
    return fetch_all([read_lock().find(Coordinate.parse(coordinate))])[0]


def fetch_section(name: str) -> list[Path]:
    """Return the verified local files of one section of the lock, in the lock's order."""
    return fetch_all(read_lock().section(name))


def fetch_all(artifacts: Sequence[LockedArtifact], client: httpx.Client | None = None) -> list[Path]:
    """Return the verified local files of these artifacts, downloading several at a time."""
    missing = [artifact for artifact in artifacts if not is_intact(artifact)]
    if missing:
        require_free_space(cache_directory(), sum(artifact.size_bytes for artifact in missing))
        with _filling_cache(), client or httpx.Client(timeout=_TIMEOUT, follow_redirects=True) as session:
            _download_all(missing, session)
    return [local_path(artifact.coordinate) for artifact in artifacts]


def unpack(coordinate: str) -> Path:
    """Return the folder a locked `tar.gz` or `zip` was unpacked to; the archive itself is not kept.

    The folder is named by the archive's checksum and appears only when it is complete.
    """
    target = unpacked_path(coordinate)
    if target.is_dir():
        return target
    artifact = read_lock().find(Coordinate.parse(coordinate))
    require_free_space(cache_directory(), artifact.size_bytes * (1 + _UNPACKED_FACTOR))
    with _filling_cache():
        archive = fetch_all([artifact])[0]
        _unpack_into(archive, target)
        archive.unlink(missing_ok=True)
    return target


def unpacked_path(coordinate: str) -> Path:
    """Where the cache keeps the folder of a locked archive, whether it is there or not."""
    artifact = read_lock().find(Coordinate.parse(coordinate))
    name = f"{artifact.coordinate.artifact}-{artifact.coordinate.version}-{artifact.sha256[:12]}"
    return cache_directory() / "unpacked" / name


def local_path(coordinate: Coordinate) -> Path:
    """Where the cache keeps this file, whether it is there or not."""
    return cache_directory() / "maven" / coordinate.path


def is_intact(artifact: LockedArtifact) -> bool:
    """Whether the cached file is there with exactly the locked bytes."""
    path = local_path(artifact.coordinate)
    try:
        with _storing():
            if path.stat().st_size != artifact.size_bytes:
                return False
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == artifact.sha256
    except FileNotFoundError:
        return False


def require_free_space(folder: Path, needed_bytes: int = 0) -> None:
    """Raise `StackError` when the disk that holds `folder` lacks room for these bytes and a reserve."""
    with storing("Downloads and data", folder, "set TIDEGATE_CACHE (downloads) or TIDEGATE_HOME (data) to another"):
        folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    wanted = needed_bytes + _SPARE_BYTES
    if free < wanted:
        raise StackError(
            f"No disk space: {folder} has {free >> 20} MiB free, {wanted >> 20} MiB are needed",
            "Free some space, or set TIDEGATE_CACHE (downloads) and TIDEGATE_HOME (data) to a larger disk.",
        )


def repository_url() -> str:
    """The Maven repository to fetch from: `$TIDEGATE_MAVEN_MIRROR`, or the one that jgo knows."""
    from jgo.constants import MAVEN_CENTRAL_URL

    return os.environ.get("TIDEGATE_MAVEN_MIRROR") or str(MAVEN_CENTRAL_URL)


@contextmanager
def _filling_cache() -> Iterator[None]:
    """Share the cache with other downloads; who finds it unused first removes what killed ones left behind."""
    cache = cache_directory()
    with _storing():
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / "lock").open("w") as lock:
            if _is_alone(lock):
                _sweep(cache)
            fcntl.flock(lock, fcntl.LOCK_SH)
            yield


def _storing() -> AbstractContextManager[None]:
    return storing("Downloads", cache_directory(), "set TIDEGATE_CACHE to another")


def _is_alone(lock: TextIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sweep(cache: Path) -> None:
    unpacked = (cache / "unpacked").glob(f"{_PARTIAL}*")  # not below: what was unpacked is whole
    for left in [*unpacked, *(cache / "maven").rglob(f"{_PARTIAL}*")]:
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def _download_all(artifacts: Sequence[LockedArtifact], client: httpx.Client) -> None:
    total = sum(artifact.size_bytes for artifact in artifacts)
    line = TransferLine(f"Fetching {_describe(artifacts)}", total)
    base = repository_url()
    with line:
        pool = ThreadPoolExecutor(_PARALLEL_DOWNLOADS)
        try:
            for _ in pool.map(lambda a: _download(client, base, a, line), artifacts):
                pass
        finally:
            pool.shutdown(cancel_futures=True)


def _describe(artifacts: Sequence[LockedArtifact]) -> str:
    if len(artifacts) == 1:
        return artifacts[0].coordinate.file_name
    return f"{len(artifacts)} files"


def _download(client: httpx.Client, base: str, artifact: LockedArtifact, line: TransferLine) -> None:
    url = f"{base.rstrip('/')}/{artifact.coordinate.path}"
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            _download_once(client, url, artifact, line)
        except (httpx.TransportError, httpx.HTTPStatusError) as error:
            if attempt == _ATTEMPTS or _is_final(error):
                raise _unreachable(artifact, error) from error
            time.sleep(attempt)
        else:
            return


def _download_once(client: httpx.Client, url: str, artifact: LockedArtifact, line: TransferLine) -> None:
    target = local_path(artifact.coordinate)
    with client.stream("GET", url) as response, _partial_file(target) as partial:
        response.raise_for_status()
        digest = _write_counted(response.iter_bytes(_CHUNK_BYTES), partial, line)
        if digest != artifact.sha256:
            raise _mismatch(artifact, digest)
        partial.chmod(0o644)  # other users of a shared cache read it
        partial.replace(target)


def _write_counted(chunks: Iterable[bytes], partial: Path, line: TransferLine) -> str:
    """Write the chunks, report them, and return the SHA-256; a failed transfer is taken back from the count."""
    digest = hashlib.sha256()
    written = 0
    try:
        with partial.open("wb") as file:
            for chunk in chunks:
                file.write(chunk)
                digest.update(chunk)
                written += len(chunk)
                line.advance(len(chunk))
    except BaseException:
        line.advance(-written)
        raise
    return digest.hexdigest()


@contextmanager
def _partial_file(target: Path) -> Iterator[Path]:
    """A name beside the target that no other process uses, gone afterwards unless it was renamed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=_PARTIAL, dir=target.parent)
    os.close(handle)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _unpack_into(archive: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=_PARTIAL, dir=target.parent) as partial:
        content = Path(partial) / "content"
        _extract(archive, content)
        try:
            content.rename(target)
        except OSError:
            if not target.is_dir():  # else another stack was faster: its folder is as good
                raise


def _extract(archive: Path, content: Path) -> None:
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as folder:
            folder.extractall(content)  # noqa: S202 -- its checksum was verified
        return
    with tarfile.open(archive) as tar:
        tar.extraction_filter = getattr(tarfile, "data_filter", None)  # from Python 3.11.4 on
        tar.extractall(content)  # noqa: S202 -- its checksum was verified


def _is_final(error: httpx.TransportError | httpx.HTTPStatusError) -> bool:
    """A client error other than 429 stays one, however often it is asked."""
    if not isinstance(error, httpx.HTTPStatusError):
        return False
    answer = error.response
    return answer.is_client_error and answer.status_code != httpx.codes.TOO_MANY_REQUESTS


def _unreachable(artifact: LockedArtifact, error: httpx.HTTPError) -> StackError:
    if isinstance(error, httpx.HTTPStatusError):
        reason = f"the registry answered {error.response.status_code}"
    else:
        reason = f"the registry cannot be reached ({type(error).__name__})"
    return StackError(
        f"Could not fetch {artifact.coordinate}: {reason}",
        "Check the network (HTTPS_PROXY, SSL_CERT_FILE), or set TIDEGATE_MAVEN_MIRROR to a Maven repository "
        "you can reach. What was fetched already is kept: run the same command again.",
    )


def _mismatch(artifact: LockedArtifact, digest: str) -> StackError:
    return StackError(
        f"Refused {artifact.coordinate}: its SHA-256 is {digest}, maven.lock says {artifact.sha256}",
        "The file was changed on its way, by a proxy or a mirror. Fetch from another network or mirror; "
        "do not edit the lock to match.",
    )
