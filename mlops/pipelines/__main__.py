"""Fills, mends and shows the lake by hand: `python -m mlops.pipelines`. Dagster calls the same functions."""

import sys

from mlops.pipelines.commands import main

if __name__ == "__main__":
    sys.exit(main())
