"""Turns every provider's webhooks into one schema, exactly once, in transactions from Kafka to Kafka."""
