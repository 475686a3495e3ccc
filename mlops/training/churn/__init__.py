"""The churn model: probability that a customer leaves within thirty days."""
