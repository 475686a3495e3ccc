"""gRPC and JSON over the same handler."""
