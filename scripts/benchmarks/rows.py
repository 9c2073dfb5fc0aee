"""What two runs made of the same photos, row by row, but for the times at which they did."""

from __future__ import annotations

from typing import Any

from lib.store.migrate import plain_database

# Numbers of rows tell in which order they were written, and digests of a day hold how long its photos took.
_PHOTOS = """
    SELECT id, label, label_level, label_source, is_processed, is_representative, cluster_id, similarity_score
    FROM image_data ORDER BY id
"""
_PREDICTIONS = """
    SELECT p.image_data_id, p.model_name, p.model_version, p.predictions, p.top_prediction_species,
        p.top_prediction_confidence, p.mean_confidence, p.prediction_entropy, p.in_domain, p.classes, p.masked,
        p.prior_mass, p.region, d.session_id, d.date
    FROM prediction_results p JOIN diversity_metrics d ON d.id = p.diversity_metrics_id
    ORDER BY p.image_data_id, p.model_name
"""
_LEFT_OUT = {"id", "computed_at", "inputs_digest", "processing_time_total", "processing_time_per_image"}
_LEFT_OUT |= {"processing"}  # of a pooled day: its times and counts
_DAYS = {
    "days": "SELECT * FROM diversity_metrics ORDER BY session_id, date",
    "processing": "SELECT * FROM processing_results ORDER BY session_id, date",
    "pooled": "SELECT * FROM pooled_metrics ORDER BY user_id, date",
}


def rows(url: str) -> dict[str, list[dict[str, Any]]]:
    """The photos with their labels, the predictions, and the days, as the tables of a database hold them."""
    database = plain_database(url)
    database.connect()
    try:
        found = {}
        for name, query in {"photos": _PHOTOS, "predictions": _PREDICTIONS, **_DAYS}.items():
            cursor = database.execute_sql(query)
            columns = [column[0] for column in cursor.description]
            found[name] = [
                {column: value for column, value in zip(columns, row, strict=True) if column not in _LEFT_OUT}
                for row in cursor.fetchall()
            ]
    finally:
        database.close()
    return found


def differences(first: str, second: str) -> int:
    """How many rows of two databases differ."""
    here, there = rows(first), rows(second)
    return sum(
        abs(len(here[name]) - len(there[name]))
        + sum(one != other for one, other in zip(here[name], there[name], strict=False))
        for name in here
    )
