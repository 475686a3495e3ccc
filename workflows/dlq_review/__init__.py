"""Keeps one event that could not be normalised for review."""
