"""Answers questions about payments (fraud, retry, churn, recovery) over gRPC and JSON."""
