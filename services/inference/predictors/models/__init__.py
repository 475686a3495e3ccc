"""Trained models behind the predictor ports, each with the rules to fall back on."""
