"""What each provider does its own way: signatures, routes from event type to contract, where things stand in a body."""
