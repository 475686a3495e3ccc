"""The normalizer's ports over Kafka."""
