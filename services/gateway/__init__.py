"""Receives webhooks: verifies, checks against the contract, and answers 202 once the broker has them."""
