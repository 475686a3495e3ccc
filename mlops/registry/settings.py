"""Where the registry is, from the environment; read by entry points only."""

import os

from mlops.registry.ports import RegistryError
from mlops.registry.store import Registry

URL_VARIABLE = "TIDEGATE_MLFLOW_URL"


def registry_from(url: str | None) -> Registry:
    """The registry at a URL, else where the environment says; RegistryError where neither says."""
    url = url or os.environ.get(URL_VARIABLE)
    if not url:
        raise RegistryError(
            f"{URL_VARIABLE} is not set: start the stack with `make up`, read its addresses with "
            "`set -a; . .tidegate/stack.env; set +a`, or give --url"
        )
    return Registry(url)
