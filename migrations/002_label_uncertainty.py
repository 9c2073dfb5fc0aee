"""What the intervals of a day are made of: draws of its labels, and how far a photo is of the model's species."""

from __future__ import annotations

COLUMNS = (
    ("diversity_metrics", "known_units", "{double}"),
    ("diversity_metrics", "estimate", "{json}"),
    ("pooled_metrics", "known_units", "{double}"),
    ("pooled_metrics", "estimate", "{json}"),
    ("prediction_results", "in_domain", "{double}"),
    ("prediction_results", "classes", "INTEGER"),
)
SQLITE = {"json": "TEXT", "double": "REAL"}
POSTGRES = {"json": "JSONB", "double": "DOUBLE PRECISION"}


def migrate(migrator, database, *, fake=False):
    """Adds the columns, and marks every day as behind its photos, so that idle time computes it again."""
    types = POSTGRES if database.param == "%s" else SQLITE
    for table, column, kind in COLUMNS:
        migrator.sql(f"ALTER TABLE {table} ADD COLUMN {column} {kind.format(**types)}")
    migrator.sql("UPDATE diversity_metrics SET computed_at = NULL")


def rollback(migrator, database, *, fake=False):
    """Drops the columns; the metrics of the days stay as they are."""
    for table, column, _ in reversed(COLUMNS):
        migrator.sql(f"ALTER TABLE {table} DROP COLUMN {column}")
