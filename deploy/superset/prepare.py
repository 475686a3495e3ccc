"""Makes Superset's tables, roles and the two first users; run by Superset's own Python, as often as one likes."""

# ruff: noqa: INP001 -- read by Superset, part of no package
from __future__ import annotations

import os
from typing import Any

from flask_migrate import upgrade
from superset.app import create_app

ANALYST = "Analyst"

# Reading a dashboard keeps its filters and links in tables of their own: these writes belong to reading.
_WRITES_OF_READERS = {
    "DashboardFilterStateRestApi",
    "DashboardPermalinkRestApi",
    "ExploreFormDataRestApi",
    "ExplorePermalinkRestApi",
}
_READING = (
    "can_read",
    "can_get",
    "can_list",
    "can_show",
    "can_info",
    "can_query",
    "can_view",
    "can_drill",
    "can_log",
    "can_csv",
    "can_time_range",
    "can_dashboard",
    "can_slice",
    "can_explore",
    "can_userinfo",
    "can_recent_activity",
    "can_samples",
    "can_this_form",
    "menu_access",
    "resetmypassword",
)


def is_for_readers(permission: str, view: str) -> bool:
    """Whether a permission of Superset's `Gamma` role lets one look, and not change or write SQL."""
    if view in _WRITES_OF_READERS:
        return True
    return permission.startswith(_READING) and "SQL" not in view


def _make_tables() -> None:
    import superset

    upgrade(directory=os.path.join(os.path.dirname(superset.__file__), "migrations"))  # noqa: PTH118, PTH120


def _make_roles(manager: Any) -> None:
    manager.sync_role_definitions()
    allowed = [p for p in manager.find_role("Gamma").permissions if is_for_readers(p.permission.name, p.view_menu.name)]
    # A dataset lists no personal column, so all of them may be read.
    allowed.append(manager.add_permission_view_menu("all_datasource_access", "all_datasource_access"))
    role = manager.add_role(ANALYST)
    role.permissions = allowed
    manager.session.commit()


def _make_user(manager: Any, name: str, role: str, password: str) -> None:
    user = manager.find_user(username=name)
    if user is None:
        address = f"{name}@tidegate.invalid"
        manager.add_user(name, name.capitalize(), "Tidegate", address, manager.find_role(role), password)
    else:
        manager.reset_password(user.id, password)


def main() -> None:
    """Bring an empty or older database to what this release of Superset and this repository expect."""
    app = create_app()
    with app.app_context():
        _make_tables()
        manager = app.appbuilder.sm
        app.appbuilder.add_permissions(update_perms=True)
        _make_roles(manager)
        _make_user(manager, "admin", "Admin", os.environ["TIDEGATE_SUPERSET_ADMIN_PASSWORD"])
        _make_user(manager, "analyst", ANALYST, os.environ["TIDEGATE_SUPERSET_ANALYST_PASSWORD"])


if __name__ == "__main__":
    main()
