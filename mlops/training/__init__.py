"""Makes models from histories: evaluation, calibration, and one package per model."""
