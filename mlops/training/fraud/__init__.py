"""The fraud model: probability that a payment is fraudulent."""
