"""Asks a program over HTTP whether it is ready."""

from __future__ import annotations

from functools import cache

import httpx

from stack.program import NotReadyError

_PROBE_SECONDS = 2.0
_SHOWN_CHARACTERS = 200


def answer(url: str) -> httpx.Response:
    """The answer, which is 200; raises `NotReadyError` for any other, and for none within two seconds."""
    path = httpx.URL(url).path
    try:
        response = _client().get(url)
    except httpx.TransportError as error:
        raise NotReadyError(f"{path}: {type(error).__name__}") from error
    if response.status_code != httpx.codes.OK:
        shown = response.text[:_SHOWN_CHARACTERS]
        raise NotReadyError(f"{path} answers {response.status_code}: {shown}".removesuffix(": "))
    return response


@cache
def _client() -> httpx.Client:
    """One for all probes, since making one takes longer than what it is asked; no connection outlives its answer."""
    return httpx.Client(timeout=_PROBE_SECONDS, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))
