import pytest
from hypothesis import given
from hypothesis import strategies as st

from stack.errors import StackError
from stack.maven import Coordinate, LockedArtifact, MavenLock, parse_lock, read_lock

SHA = "a" * 64

words = st.text("ab9_.-", min_size=1, max_size=6).map("x{}".format)
coordinates = st.builds(Coordinate, words, words, words, st.sampled_from(["jar", "zip", "tar.gz"]), st.just("") | words)


@given(coordinates)
def test_a_coordinate_survives_being_written_and_read(coordinate: Coordinate) -> None:
    assert Coordinate.parse(str(coordinate)) == coordinate


@pytest.mark.parametrize("text", ["", "a:b", "a::1", "a:b:1:jar:c:d", "a:b:../../etc", "a:b:1/2", "a b:c:1", "a:b:1\n"])
def test_what_is_no_coordinate_is_refused(text: str) -> None:
    with pytest.raises(StackError, match="not a Maven coordinate"):
        Coordinate.parse(text)


def test_a_coordinate_knows_its_place_in_a_repository() -> None:
    plain = Coordinate.parse("org.apache.kafka:kafka_2.13:4.2.0")
    classified = Coordinate.parse("io.apicurio:apicurio-registry-app:3.3.3:tar.gz:all")
    assert plain.path == "org/apache/kafka/kafka_2.13/4.2.0/kafka_2.13-4.2.0.jar"
    assert classified.path == "io/apicurio/apicurio-registry-app/3.3.3/apicurio-registry-app-3.3.3-all.tar.gz"


artifacts = st.builds(LockedArtifact, coordinates, st.just(SHA), st.integers(0))


@given(st.dictionaries(words, st.lists(artifacts, unique=True, max_size=3), max_size=3))
def test_a_lock_survives_being_written_and_read(sections: dict[str, list[LockedArtifact]]) -> None:
    lock = MavenLock(sections)
    again = parse_lock(lock.render())
    assert {name: sorted(found) for name, found in sections.items()} == again.sections


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"a:b:1 {SHA} 5", "before the first"),
        (f"[x]\na:b:1 {SHA}", "expected"),
        ("[x]\na:b:1 abc 5", "SHA-256"),
        (f"[x]\na:b:1 {SHA.upper()} 5", "SHA-256"),
        (f"[x]\na:b:1 {SHA} -5", "size"),
    ],
)
def test_a_damaged_lock_is_refused_with_the_line_and_the_way_out(text: str, reason: str) -> None:
    with pytest.raises(StackError, match=reason) as failure:
        parse_lock(text)
    assert "maven.lock:" in failure.value.message
    assert "python -m stack lock" in failure.value.remedy


def test_the_repositorys_lock_holds_every_section_once_and_no_address() -> None:
    lock = read_lock()
    assert set(lock.sections) == {"apicurio", "kafka", "nessie", "protovalidate", "trino"}
    artifacts = [artifact.coordinate for section in lock.sections.values() for artifact in section]
    assert len(artifacts) == len(set(artifacts))
    assert "//" not in lock.render()


def test_asking_for_what_is_not_locked_names_it() -> None:
    lock = MavenLock({})
    with pytest.raises(StackError, match="a:b:1 is not in"):
        lock.find(Coordinate.parse("a:b:1"))
    with pytest.raises(StackError, match=r"no section \[trino\]"):
        lock.section("trino")
