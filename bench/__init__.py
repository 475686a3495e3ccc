"""Benchmarks: each prints a ratio of ours to a baseline measured in the same run, never a bare time."""
