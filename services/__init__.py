"""The deployables of Tidegate, one folder each, and the runtime they share."""
