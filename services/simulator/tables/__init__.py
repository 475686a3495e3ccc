"""What the simulated world is drawn from, as rows: currencies, issuers, declines, disputes, API versions."""
