"""The retry model: how likely another attempt succeeds at any moment, learned from randomised retries."""
