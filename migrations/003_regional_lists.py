"""Regional lists: a session's own list of species, and which list limited what a model said of a photo; and which
version of the model said it."""

from __future__ import annotations

COLUMNS = (
    ("analysis_sessions", "region_species", "{json}"),
    ("prediction_results", "masked", "{boolean}"),
    ("prediction_results", "prior_mass", "{double}"),
    ("prediction_results", "region", "VARCHAR(100)"),
    ("prediction_results", "model_version", "VARCHAR(50)"),
)
SQLITE = {"json": "TEXT", "double": "REAL", "boolean": "INTEGER"}
POSTGRES = {"json": "JSONB", "double": "DOUBLE PRECISION", "boolean": "BOOLEAN"}


def migrate(migrator, database, *, fake=False):
    """Adds the columns. Of the photos that were classified before, none was limited, and no version is on
    record; no day changes."""
    types = POSTGRES if database.param == "%s" else SQLITE
    for table, column, kind in COLUMNS:
        migrator.sql(f"ALTER TABLE {table} ADD COLUMN {column} {kind.format(**types)}")


def rollback(migrator, database, *, fake=False):
    """Drops the columns; the labels that were given under a list stay."""
    for table, column, _ in reversed(COLUMNS):
        migrator.sql(f"ALTER TABLE {table} DROP COLUMN {column}")
