"""Opens the Iceberg catalog: SeaweedFS and S3 Tables by signed requests, Apache Polaris by OAuth2."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.exceptions import RESTError
from requests.exceptions import RequestException

from mlops.pipelines.lib.unavailable import LakeUnavailableError
from mlops.pipelines.settings import CatalogAuth, LakeSettings

__all__ = ["CATALOG", "LakeUnavailableError", "catalog_properties", "open_catalog", "told_of_lake"]

CATALOG: Final = "lake"
# botocore's own default is to try four times; a caller waits for nothing longer than this.
_S3_SECONDS: Final = {"s3.connect-timeout": "10.0", "s3.request-timeout": "60.0"}


@contextmanager
def told_of_lake() -> Iterator[None]:
    """Turn what catalog and object store raise when they are away into words for whoever runs the job."""
    try:
        yield
    except (RequestException, RESTError, OSError) as error:
        raise LakeUnavailableError(
            f"the lake's catalog or object store failed ({_reason(error)}): `make status` tells "
            "whether they run; what was committed stays, and the next run goes on behind it"
        ) from error


def _reason(error: Exception) -> str:
    first_line = str(error).strip().partition("\n")[0][:300]
    return f"{type(error).__name__}: {first_line}"


def open_catalog(settings: LakeSettings) -> Catalog:
    """The catalog, asked once. LakeUnavailableError where it does not answer, or refuses."""
    try:
        return load_catalog(CATALOG, **catalog_properties(settings))
    except (RequestException, RESTError) as error:
        raise LakeUnavailableError(
            f"the Iceberg catalog at {settings.catalog_url} does not answer, or refuses ({_reason(error)}): "
            "`make status` tells whether it runs, TIDEGATE_CATALOG_URL where it is looked for, and "
            "TIDEGATE_CATALOG_CREDENTIAL as whom"
        ) from error


def catalog_properties(settings: LakeSettings) -> dict[str, str]:
    """What PyIceberg is told; pure."""
    told: dict[str, str | None] = {
        "type": "rest",
        "uri": settings.catalog_url,
        "warehouse": settings.catalog_warehouse,
        **_authentication(settings),
        **_storage(settings),
    }
    return {name: value for name, value in told.items() if value is not None}


def _authentication(settings: LakeSettings) -> Mapping[str, str | None]:
    if settings.catalog_auth is CatalogAuth.SIGV4:
        return {
            "rest.sigv4-enabled": "true",
            "rest.signing-name": settings.catalog_signing_name,
            "rest.signing-region": settings.s3_region,
        }
    credential = settings.catalog_credential
    return {
        "credential": None if credential is None else credential.get_secret_value(),
        "scope": settings.catalog_scope,
        # Said, even where it is the catalog itself: PyIceberg warns of a default that it is going to drop.
        "oauth2-server-uri": settings.catalog_token_url or f"{settings.catalog_url.rstrip('/')}/v1/oauth/tokens",
        # PyIceberg asks for credentials of each table unless told otherwise; Polaris refuses a table altogether where
        # its store cannot give any. Who brings keys of their own asks for none.
        "header.X-Iceberg-Access-Delegation": "" if settings.s3_access_key_id else None,
    }


def _storage(settings: LakeSettings) -> Mapping[str, str | None]:
    """Without keys the catalog vends them (Polaris), or the machine's own role is used."""
    secret = settings.s3_secret_access_key
    return {
        **_S3_SECONDS,
        "client.region": settings.s3_region,
        "client.access-key-id": settings.s3_access_key_id,
        "client.secret-access-key": None if secret is None else secret.get_secret_value(),
        "s3.endpoint": settings.s3_url,
        # An endpoint of one's own rarely has a name for every bucket.
        "s3.force-virtual-addressing": None if settings.s3_url is None else "false",
    }
