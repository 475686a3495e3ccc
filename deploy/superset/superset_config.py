"""Superset's settings, read by Superset itself: what differs per machine comes from the environment."""

# ruff: noqa: INP001 -- read by Superset, part of no package
from __future__ import annotations

import os
from typing import Any

APP_NAME = "Tidegate"

# Signs sessions and encrypts stored passwords: losing it makes those unreadable.
SECRET_KEY = os.environ["TIDEGATE_SUPERSET_SECRET_KEY"]
SQLALCHEMY_DATABASE_URI = os.environ["TIDEGATE_SUPERSET_DATABASE_URL"]
SQLALCHEMY_ENGINE_OPTIONS = {"pool_size": 5, "max_overflow": 10, "pool_pre_ping": True}

# Answers are kept in files for a few minutes, shared by all workers of the machine. Valkey is left to the features: it
# refuses writes when it is full, and no chart may fill it.
_FILES: dict[str, Any] = {
    "CACHE_TYPE": "FileSystemCache",
    "CACHE_DIR": os.environ["TIDEGATE_SUPERSET_CACHE_FOLDER"],
    "CACHE_THRESHOLD": 2000,
    "CACHE_OPTIONS": {"mode": 0o600},
}
CACHE_CONFIG = {**_FILES, "CACHE_DEFAULT_TIMEOUT": 3600, "CACHE_KEY_PREFIX": "metadata_"}
DATA_CACHE_CONFIG = {**_FILES, "CACHE_DEFAULT_TIMEOUT": 300, "CACHE_KEY_PREFIX": "data_"}

ROW_LIMIT = 5_000
SAMPLES_ROW_LIMIT = 500
SQL_MAX_ROW = 50_000
SUPERSET_WEBSERVER_TIMEOUT = 60
SQLLAB_TIMEOUT = 60
CELERY_CONFIG = None  # everything is answered in the request: nothing needs a queue

WTF_CSRF_ENABLED = True
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
# On loopback there is no TLS; behind a proxy that ends it, set this to true.
_BEHIND_TLS = os.environ.get("TIDEGATE_SUPERSET_BEHIND_TLS", "false").lower() == "true"
SESSION_COOKIE_SECURE = _BEHIND_TLS
ENABLE_PROXY_FIX = _BEHIND_TLS
RATELIMIT_ENABLED = True
RATELIMIT_APPLICATION = "50 per second"
RATELIMIT_STORAGE_URI = "memory://"
AUTH_RATE_LIMITED = True
AUTH_RATE_LIMIT = "5 per second"

# Pages load nothing from other hosts and tell none of their use.
SCARF_ANALYTICS = False
TALISMAN_ENABLED = True
TALISMAN_CONFIG = {
    "content_security_policy": {
        "base-uri": ["'self'"],
        "default-src": ["'self'"],
        "img-src": ["'self'", "blob:", "data:"],
        "worker-src": ["'self'", "blob:"],
        "connect-src": ["'self'"],
        "object-src": "'none'",
        "style-src": ["'self'", "'unsafe-inline'"],
        "font-src": ["'self'", "data:"],
        "script-src": ["'self'", "'strict-dynamic'"],
    },
    "content_security_policy_nonce_in": ["script-src"],
    "force_https": False,
    "session_cookie_secure": _BEHIND_TLS,
}

# Who is not signed in sees nothing.
PUBLIC_ROLE_LIKE = None
AUTH_USER_REGISTRATION = False
FEATURE_FLAGS = {"ALERT_REPORTS": False, "ENABLE_TEMPLATE_PROCESSING": False, "THUMBNAILS": False}
