"""Implementations of the predictor ports."""
