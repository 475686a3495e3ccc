"""Look at what the platform made of a run: its topics and its tables. Read only."""
