"""Events, decisions, quarantine, rules and the outbox; least-privilege roles."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Run the SQL beside this file."""
    op.get_bind().exec_driver_sql(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))


def downgrade() -> None:
    """Drop every table with all that is stored; the schema stays, with the version in it."""
    op.get_bind().exec_driver_sql(Path(__file__).with_suffix(".down.sql").read_text(encoding="utf-8"))
