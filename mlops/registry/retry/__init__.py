"""When to try a declined payment again, by a trained model: its inputs and its policy; for serving and training."""
