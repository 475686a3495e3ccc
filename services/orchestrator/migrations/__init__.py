"""Versions of the schema `tidegate`; `python -m services.orchestrator.migrations` applies them."""
