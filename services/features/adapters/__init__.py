"""Kafka and Valkey behind this service's ports."""
