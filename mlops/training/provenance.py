"""Says which code made a model."""

from mlops.commit import commit_of


def code_version() -> str:
    """Return the commit, with `+changes` where the code of models differs from it, or `unknown` outside a checkout."""
    return commit_of("mlops")
