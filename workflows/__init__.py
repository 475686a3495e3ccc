"""Temporal definitions: what happens to an event, step by step, whatever fails."""
