"""What jobs need besides pure code."""


class UnavailableError(Exception):
    """A job cannot be done; the message says why and what to do."""
