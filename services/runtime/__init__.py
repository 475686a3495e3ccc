"""What every service needs to run, one capability per file; knows nothing of payments."""
