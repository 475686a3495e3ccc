"""Feast's view of the features: entities, feature views and stores, made from the catalog."""
