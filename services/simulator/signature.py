"""Signs bodies as Stripe does, and wrongly in every way that a receiver must refuse.

Scheme: HMAC-SHA256 of `<t>.<raw body>` (docs.stripe.com/webhooks#verify-manually, read 2026-11).
"""

import hashlib
import hmac
from enum import StrEnum

# Stripe's libraries refuse what is older than 300 s.
_STALE_SECONDS = 3600


class Signing(StrEnum):
    """How a delivery is signed. Only VALID is to be accepted."""

    VALID = "valid"
    WRONG_SECRET = "wrong_secret"  # noqa: S105 - a name
    STALE = "stale"
    MISSING = "missing"
    TAMPERED = "tampered"
    OLD_SCHEME_ONLY = "old_scheme_only"
    GARBAGE = "garbage"


def signature_header(body: bytes, secret: str, at: int, signing: Signing) -> str | None:
    """The value of `Stripe-Signature` at a moment (seconds since 1970); None where the header is left out."""
    match signing:
        case Signing.MISSING:
            return None
        case Signing.GARBAGE:
            return "t=now;v1=deadbeef"
        case Signing.STALE:
            at -= _STALE_SECONDS
        case Signing.WRONG_SECRET:
            secret = f"{secret}_of_another_endpoint"
        case Signing.TAMPERED:
            body += b" "
    scheme = "v0" if signing is Signing.OLD_SCHEME_ONLY else "v1"
    return f"t={at},{scheme}={_digest(body, secret, at)}"


def _digest(body: bytes, secret: str, at: int) -> str:
    return hmac.new(secret.encode(), b"%d." % at + body, hashlib.sha256).hexdigest()
