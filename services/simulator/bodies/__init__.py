"""Stripe's objects in Stripe's own shape, one module an object."""
