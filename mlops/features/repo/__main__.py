"""Registers entities and feature views with Feast: `python -m mlops.features.repo`, from the repository's root."""

import os
import sys

from mlops.features.repo.settings import FeatureRepoSettings
from mlops.features.repo.store import REPO, environment


def main() -> None:
    """What `feast apply` does, with addresses from Tidegate's settings."""
    settings = FeatureRepoSettings()
    os.environ.update(environment(settings))
    settings.feast_registry.parent.mkdir(parents=True, exist_ok=True)
    from feast.repo_config import load_repo_config
    from feast.repo_operations import apply_total

    # Feast imports the repository's modules by their bare names.
    sys.path.insert(0, str(REPO))
    # Sources are files that the first batch writes: they need not be there yet.
    apply_total(load_repo_config(REPO, REPO / "feature_store.yaml"), REPO, skip_source_validation=True)


if __name__ == "__main__":
    main()
