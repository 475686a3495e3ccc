"""Kafka, Temporal, gRPC and PostgreSQL behind the orchestrator's ports."""
