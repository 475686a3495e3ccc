import fcntl
import hashlib
import resource
import tarfile
import zipfile
from collections import namedtuple
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import httpx
import pytest

from stack import artifacts
from stack.artifacts import fetch_all, is_intact, local_path, require_free_space
from stack.errors import StackError
from stack.maven import Coordinate, LockedArtifact

CONTENT = b"the engine's bytes" * 1000
ARTIFACT = LockedArtifact(Coordinate("org.example", "engine", "1"), hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))

Answer = Callable[[httpx.Request], httpx.Response]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TIDEGATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TIDEGATE_MAVEN_MIRROR", "http://mirror.test/maven/")
    monkeypatch.setattr("time.sleep", lambda _: None)
    return tmp_path / "cache"


def registry(answer: Answer) -> httpx.Client:
    """A registry that answers in this process."""
    return httpx.Client(transport=httpx.MockTransport(answer))


def test_a_file_is_fetched_from_the_mirror_by_its_path() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200, content=CONTENT)

    (path,) = fetch_all([ARTIFACT], registry(answer))
    assert path.read_bytes() == CONTENT
    assert asked == ["http://mirror.test/maven/org/example/engine/1/engine-1.jar"]


def test_a_verified_file_is_not_fetched_again() -> None:
    def silence(request: httpx.Request) -> httpx.Response:
        raise AssertionError(request.url)

    fetch_all([ARTIFACT], registry(lambda _: httpx.Response(200, content=CONTENT)))
    assert fetch_all([ARTIFACT], registry(silence))


@pytest.mark.parametrize("damage", [b"", CONTENT[:-1], CONTENT[:-1] + b"x"])
def test_a_corrupt_file_in_the_cache_is_fetched_anew(damage: bytes) -> None:
    path = local_path(ARTIFACT.coordinate)
    path.parent.mkdir(parents=True)
    path.write_bytes(damage)
    fetch_all([ARTIFACT], registry(lambda _: httpx.Response(200, content=CONTENT)))
    assert is_intact(ARTIFACT)


def test_other_bytes_than_the_locked_ones_are_refused_and_not_kept(cache: Path) -> None:
    with pytest.raises(StackError, match=r"Refused org\.example:engine:1") as failure:
        fetch_all([ARTIFACT], registry(lambda _: httpx.Response(200, content=CONTENT + b"!")))
    assert "proxy or a mirror" in failure.value.remedy
    assert files(cache) == ["lock"]


def test_a_download_that_breaks_off_is_tried_again_and_leaves_no_half_file(cache: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield CONTENT[:100]
        raise httpx.ReadError("connection reset")

    answers = [httpx.Response(200, content=broken()), httpx.Response(503), httpx.Response(200, content=CONTENT)]
    fetch_all([ARTIFACT], registry(lambda _: answers.pop(0)))
    assert files(cache) == ["engine-1.jar", "lock"]


def test_an_unreachable_registry_is_told_with_what_to_do() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route")

    with pytest.raises(StackError, match="cannot be reached") as failure:
        fetch_all([ARTIFACT], registry(refuse))
    assert "TIDEGATE_MAVEN_MIRROR" in failure.value.remedy


def test_an_artifact_that_the_registry_lacks_is_asked_for_once() -> None:
    asked: list[str] = []

    def missing(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(404)

    with pytest.raises(StackError, match="answered 404"):
        fetch_all([ARTIFACT], registry(missing))
    assert len(asked) == 1


def test_a_full_disk_is_noticed_before_anything_is_fetched(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")  # noqa: PYI024 -- the shape of shutil.disk_usage
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(100, 100, 10 << 20))
    with pytest.raises(StackError, match="10 MiB free") as failure:
        require_free_space(cache, 1 << 20)
    assert "TIDEGATE_CACHE" in failure.value.remedy


def tar_of_a_jar() -> bytes:
    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        member = tarfile.TarInfo("lib/app.jar")
        member.size = 3
        tar.addfile(member, BytesIO(b"jar"))
    return buffer.getvalue()


def zip_of_a_jar() -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as folder:
        folder.writestr("lib/app.jar", b"jar")
    return buffer.getvalue()


@pytest.mark.parametrize(("packaging", "pack"), [("tar.gz", tar_of_a_jar), ("zip", zip_of_a_jar)])
def test_an_archive_is_unpacked_once_and_not_kept(
    cache: Path, monkeypatch: pytest.MonkeyPatch, packaging: str, pack: Callable[[], bytes]
) -> None:
    content = pack()
    coordinate = Coordinate("org.example", "app", "1", packaging, "all")
    locked = LockedArtifact(coordinate, hashlib.sha256(content).hexdigest(), len(content))
    fetch_all([locked], registry(lambda _: httpx.Response(200, content=content)))
    monkeypatch.setattr(artifacts, "read_lock", lambda: artifacts_lock(locked))
    folder = artifacts.unpack(str(coordinate))
    assert (folder / "lib" / "app.jar").read_bytes() == b"jar"
    assert not local_path(coordinate).exists()
    assert artifacts.unpack(str(coordinate)) == folder


def artifacts_lock(artifact: LockedArtifact) -> object:
    from stack.maven import MavenLock

    return MavenLock({"app": [artifact]})


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """What `ulimit -f` does, here standing for a disk quota."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_takes_no_more_during_a_download_is_told_with_what_to_do(cache: Path) -> None:
    with largest_file(len(CONTENT) // 2), pytest.raises(StackError, match="larger than allowed") as failure:
        fetch_all([ARTIFACT], registry(lambda _: httpx.Response(200, content=CONTENT)))
    assert "TIDEGATE_CACHE" in failure.value.remedy
    assert files(cache) == ["lock"]


def test_a_cache_that_cannot_be_made_is_told_with_what_to_do(cache: Path) -> None:
    cache.touch()
    with pytest.raises(StackError, match="a file is in the place of a folder") as failure:
        fetch_all([ARTIFACT], registry(lambda _: httpx.Response(200, content=CONTENT)))
    assert "TIDEGATE_CACHE" in failure.value.remedy


@pytest.fixture
def leftovers(cache: Path) -> list[Path]:
    """What downloads leave behind that were killed: a half file, and an archive half unpacked."""
    half = local_path(ARTIFACT.coordinate).with_name(".partial-abc")
    unpacked = cache / "unpacked" / ".partial-def"
    for folder in (half.parent, unpacked / "content"):
        folder.mkdir(parents=True)
    half.touch()
    return [half, unpacked]


@pytest.mark.usefixtures("leftovers")
def test_what_killed_downloads_left_behind_goes_with_the_next_one(cache: Path) -> None:
    fetch_all([ARTIFACT], registry(lambda _: httpx.Response(200, content=CONTENT)))
    assert files(cache) == ["engine-1.jar", "lock"]
    assert not list((cache / "unpacked").iterdir())


def test_what_another_download_is_at_work_on_stays(cache: Path, leftovers: list[Path]) -> None:
    with (cache / "lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        fetch_all([ARTIFACT], registry(lambda _: httpx.Response(200, content=CONTENT)))
    assert all(path.exists() for path in leftovers)


def files(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.rglob("*") if path.is_file())
