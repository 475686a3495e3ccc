"""Plays a payment provider: makes realistic signed Stripe webhooks and posts them at a fixed rate."""
