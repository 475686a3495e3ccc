"""Makes the catalog `tidegate` in Apache Polaris, its tables' files in S3; can be run again and again."""

# ruff: noqa: INP001 -- run by itself, part of no package

import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx

CATALOG = "tidegate"
BUCKET = "s3://tidegate-polaris"
_WAIT_SECONDS = 60.0
_PAUSE_SECONDS = 2.0
_HOW_TO_BOOTSTRAP = "once, before the first start: docker compose run --rm polaris-bootstrap"


def catalog(s3_url: str) -> Mapping[str, Any]:
    """What Polaris is told of the catalog. Its store cannot vend credentials, so that clients bring their own."""
    return {
        "name": CATALOG,
        "type": "INTERNAL",
        # Trino purges what it drops, which Polaris refuses unless a catalog allows it.
        "properties": {"default-base-location": BUCKET, "polaris.config.drop-with-purge.enabled": "true"},
        "storageConfigInfo": {
            "storageType": "S3",
            "allowedLocations": [BUCKET],
            "endpoint": s3_url,
            "pathStyleAccess": True,
            "stsUnavailable": True,
        },
    }


def make(client: httpx.Client, credential: str, s3_url: str, sleep: Callable[[float], None] = time.sleep) -> None:
    """Make the catalog unless it is there, and let its administrators read and write tables.

    Raises `httpx.HTTPStatusError` for what Polaris refuses.
    """
    admin = {"Authorization": f"Bearer {_token(client, credential, sleep)}"}
    made = client.post("/api/management/v1/catalogs", json={"catalog": catalog(s3_url)}, headers=admin)
    if made.status_code != httpx.codes.CONFLICT:  # there already
        made.raise_for_status()
    client.put(
        f"/api/management/v1/catalogs/{CATALOG}/catalog-roles/catalog_admin/grants",
        json={"grant": {"type": "catalog", "privilege": "CATALOG_MANAGE_CONTENT"}},
        headers=admin,
    ).raise_for_status()


def _token(client: httpx.Client, credential: str, sleep: Callable[[float], None]) -> str:
    name, _, secret = credential.partition(":")
    form = {
        "grant_type": "client_credentials",
        "client_id": name,
        "client_secret": secret,
        "scope": "PRINCIPAL_ROLE:ALL",
    }
    for _ in range(int(_WAIT_SECONDS / _PAUSE_SECONDS)):
        try:
            answer = client.post("/api/catalog/v1/oauth/tokens", data=form)
        except httpx.TransportError:
            sleep(_PAUSE_SECONDS)
            continue
        if answer.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.NOT_FOUND}:
            raise SystemExit(f"Polaris does not know who asks: was its realm made? It is made {_HOW_TO_BOOTSTRAP}")
        return str(answer.raise_for_status().json()["access_token"])
    raise SystemExit(f"Polaris did not answer for {_WAIT_SECONDS:.0f} s")


if __name__ == "__main__":
    with httpx.Client(base_url=os.environ["POLARIS_URL"], timeout=10.0) as session:
        make(session, os.environ["TIDEGATE_CATALOG_CREDENTIAL"], os.environ["TIDEGATE_S3_URL"])
    sys.stdout.write(f"catalog {CATALOG} is there\n")
