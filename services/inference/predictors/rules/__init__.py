"""The documented rules that answer where no model is deployed."""
