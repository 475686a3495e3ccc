"""Kafka and the Schema Registry behind the gateway's ports."""
