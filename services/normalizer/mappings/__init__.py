"""One folder per provider, one table per object: what the provider's fields mean in the unified schema."""
