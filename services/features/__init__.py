"""Keeps the features of customers, cards and merchants up to date on the online store, as events come."""
