import json
from collections.abc import Callable

import httpx
import pytest

from deploy.compose import polaris


class Polaris:
    """The part of Apache Polaris's API that making a catalog asks for."""

    def __init__(self) -> None:
        self.catalogs: dict[str, dict[str, object]] = {}
        self.grants: list[object] = []
        self.silent_for = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.silent_for:
            self.silent_for -= 1
            raise httpx.ConnectError("refused", request=request)
        if request.url.path == "/api/catalog/v1/oauth/tokens":
            known = b"client_id=tidegate&client_secret=right" in request.content
            return httpx.Response(200, json={"access_token": "token"}) if known else httpx.Response(401)
        if request.headers.get("Authorization") != "Bearer token":
            return httpx.Response(403)
        if request.method == "PUT":
            self.grants.append(json.loads(request.content)["grant"])
            return httpx.Response(201)
        made = json.loads(request.content)["catalog"]
        if made["name"] in self.catalogs:
            return httpx.Response(409)
        self.catalogs[made["name"]] = made
        return httpx.Response(201)


@pytest.fixture
def server() -> Polaris:
    return Polaris()


@pytest.fixture
def make(server: Polaris) -> Callable[[str], None]:
    client = httpx.Client(base_url="http://polaris:8181", transport=httpx.MockTransport(server))
    return lambda credential: polaris.make(client, credential, "http://seaweedfs:8333", sleep=lambda _: None)


def test_making_the_catalog_again_changes_nothing(server: Polaris, make: Callable[[str], None]) -> None:
    make("tidegate:right")
    first = dict(server.catalogs)
    make("tidegate:right")
    assert server.catalogs == first
    assert server.catalogs["tidegate"]["storageConfigInfo"] == {
        "storageType": "S3",
        "allowedLocations": ["s3://tidegate-polaris"],
        "endpoint": "http://seaweedfs:8333",
        "pathStyleAccess": True,
        "stsUnavailable": True,
    }
    assert {"type": "catalog", "privilege": "CATALOG_MANAGE_CONTENT"} in server.grants


def test_it_waits_for_a_polaris_that_is_starting(server: Polaris, make: Callable[[str], None]) -> None:
    server.silent_for = 5
    make("tidegate:right")
    assert set(server.catalogs) == {"tidegate"}


def test_it_waits_for_no_more_than_a_minute(server: Polaris, make: Callable[[str], None]) -> None:
    server.silent_for = 1000
    with pytest.raises(SystemExit, match="did not answer"):
        make("tidegate:right")


def test_a_realm_that_was_never_made_is_told_with_what_to_do(make: Callable[[str], None]) -> None:
    with pytest.raises(SystemExit, match="docker compose run --rm polaris-bootstrap"):
        make("tidegate:wrong")
