"""The queue of photos to look at: an index that holds all that choosing them needs."""

from __future__ import annotations

NAME = "idx_image_data_review"
COLUMNS = "session_id, label_source, label_level, label, quality_score, is_representative, cluster_id, date"


def migrate(migrator, database, *, fake=False):
    """Adds the index; no row changes."""
    migrator.sql(f"CREATE INDEX {NAME} ON image_data ({COLUMNS})")


def rollback(migrator, database, *, fake=False):
    """Drops the index."""
    migrator.sql(f"DROP INDEX {NAME}")
