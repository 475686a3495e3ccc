"""Schemas are registered from source text, once, and incompatible ones are refused with a diff."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from confluent_kafka.schema_registry import ConfigCompatibilityLevel, SchemaRegistryClient, ServerConfig

from codegen import register
from services.runtime.clock import SystemIds
from tests.engines import Engines

ADDRESS = """syntax = "proto3";

package {package};

message Address {{
  string city = 1;
}}
"""

ORDER = """syntax = "proto3";

package {package};

import "google/protobuf/timestamp.proto";
import "{folder}/address.proto";

message Order {{
  string id = 1;
  Address address = 2;
  google.protobuf.Timestamp at = 3;
}}
"""

TOPIC = """description: Orders of a test.
message: {package}.Order
key: id
partitions: 1
retention_days: 1
max_message_bytes: 1000
producer: test
"""


class Contracts:
    """A small tree of contracts under a package and topic that no other test has."""

    def __init__(self, root: Path, name: str) -> None:
        self.root, self.topic, self.folder = root, f"{name}.orders", root / name / "v1"
        self.folder.mkdir(parents=True)
        (root / "topics").mkdir()
        words = {"package": f"{name}.v1", "folder": f"{name}/v1"}
        (self.folder / "address.proto").write_text(ADDRESS.format(**words))
        (self.folder / "order.proto").write_text(ORDER.format(**words))
        (root / "topics" / f"{self.topic}.yaml").write_text(TOPIC.format(**words))

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.folder / file
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    def register(self) -> int:
        return register.main(["--proto", str(self.root)])


@pytest.fixture
def contracts(tmp_path: Path, engines: Engines, monkeypatch: pytest.MonkeyPatch) -> Contracts:
    monkeypatch.setenv("TIDEGATE_SCHEMA_REGISTRY_URL", engines.schema_registry_url)
    return Contracts(tmp_path, f"t{SystemIds().new()[:12]}")


@pytest.fixture
def registry(engines: Engines) -> Iterator[SchemaRegistryClient]:
    with closing(SchemaRegistryClient({"url": engines.schema_registry_url})) as client:
        yield client


def test_the_registered_text_is_the_source_text(contracts: Contracts, registry: SchemaRegistryClient) -> None:
    assert contracts.register() == 0
    subject = f"{contracts.topic}-value"
    found = registry.get_latest_version(subject)
    assert found.schema is not None
    assert found.schema.schema_str == (contracts.folder / "order.proto").read_text()
    assert [reference.name for reference in found.schema.references or []] == [
        f"{contracts.folder.parent.name}/v1/address.proto"
    ]
    assert registry.get_config(subject).compatibility_level == "BACKWARD_TRANSITIVE"


def test_registering_again_changes_nothing(contracts: Contracts, registry: SchemaRegistryClient) -> None:
    assert contracts.register() == contracts.register() == 0
    assert registry.get_versions(f"{contracts.topic}-value") == [1]


def test_an_added_field_becomes_a_new_version(contracts: Contracts, registry: SchemaRegistryClient) -> None:
    contracts.register()
    contracts.edit("order.proto", "at = 3;", "at = 3;\n  string note = 4;")
    assert contracts.register() == 0
    assert registry.get_versions(f"{contracts.topic}-value") == [1, 2]


def test_a_field_added_to_an_imported_file_is_registered_too(
    contracts: Contracts, registry: SchemaRegistryClient
) -> None:
    contracts.register()
    contracts.edit("address.proto", "city = 1;", "city = 1;\n  string street = 2;")
    assert contracts.register() == 0
    latest = registry.get_latest_version(f"{contracts.topic}-value").schema
    assert latest is not None
    assert [reference.version for reference in latest.references or []] == [2]


@pytest.mark.parametrize("old_new", [("string id = 1;", "int64 id = 1;"), ("  Address address = 2;\n", "")])
def test_an_incompatible_change_is_refused_with_a_readable_diff(
    contracts: Contracts, capsys: pytest.CaptureFixture[str], old_new: tuple[str, str]
) -> None:
    contracts.register()
    contracts.edit("order.proto", *old_new)
    assert contracts.register() == 1
    told = capsys.readouterr().err
    assert "BACKWARD_TRANSITIVE" in told
    assert f"    -{old_new[0].rstrip()}".split("\n")[0].strip("- ") in told
    assert "Traceback" not in told


def test_a_subject_that_was_loosened_is_held_again(contracts: Contracts, registry: SchemaRegistryClient) -> None:
    contracts.register()
    subject = f"{contracts.topic}-value"
    registry.set_config(subject, ServerConfig(compatibility=ConfigCompatibilityLevel.NONE))
    contracts.edit("order.proto", "string id = 1;", "int64 id = 1;")
    assert contracts.register() == 1
    assert registry.get_config(subject).compatibility_level == "BACKWARD_TRANSITIVE"
    assert registry.get_versions(subject) == [1]


def test_a_registry_that_is_gone_is_named(
    contracts: Contracts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TIDEGATE_SCHEMA_REGISTRY_URL", "http://127.0.0.1:9")
    assert contracts.register() == 1
    assert "http://127.0.0.1:9 cannot be reached" in capsys.readouterr().err
