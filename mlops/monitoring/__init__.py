"""Watches what models are served with and what comes of their answers: skew, drift, performance."""
