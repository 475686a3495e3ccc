"""Where what is watched is read from, and where the findings go."""
