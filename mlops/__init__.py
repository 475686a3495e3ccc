"""Features, models and how they are made and governed."""
