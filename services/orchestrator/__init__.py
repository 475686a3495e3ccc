"""Runs one durable workflow per payment event and stores and publishes what it decides."""
