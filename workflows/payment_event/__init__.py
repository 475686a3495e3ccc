"""Decides on one payment event and stores the decision."""
