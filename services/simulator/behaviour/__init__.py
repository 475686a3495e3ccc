"""A world to learn from: a year of customers, issuers and fraudsters, with the truth kept apart from events."""
