"""Features: one pure transform, used by streaming, batch, training and serving alike."""
