"""Starts the real engines and every service of Tidegate on one machine, with no container engine."""
