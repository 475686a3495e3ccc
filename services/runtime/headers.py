"""Names of the headers that travel with every message and call."""

# The arrival a message comes from: on Kafka, gRPC metadata and Temporal headers.
RECEIPT_ID = "tidegate-receipt-id"
# The provider's event, as in the contracts.
EVENT_ID = "tidegate-event-id"
