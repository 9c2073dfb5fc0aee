"""The tables (SPEC section 3) as Peewee models; a store says at each query which database is meant."""

from __future__ import annotations

import peewee as pw

from lib.store.fields import Day, Id, Json, LongText, Number, Text, Utc


class Table(pw.Model):
    """Base of all models. They are bound to no database: one process may hold several stores."""

    id = Id()


def _check(name: str, expression: str) -> pw.SQL:
    return pw.SQL(f"CONSTRAINT {name} CHECK ({expression})")


def _parent(model: type[pw.Model], name: str) -> pw.ForeignKeyField:
    """A foreign key that takes its rows along when the parent goes; indexed where the model says so."""
    return pw.ForeignKeyField(model, column_name=name, on_delete="CASCADE", backref="+", index=False)


class Users(Table):
    """People. `api_key` is the digest of the key made with the user, which is also a row of `api_keys`."""

    username = Text(50)
    email = Text(100)
    api_key = Text(64)
    is_active = pw.BooleanField(default=True)
    created_at = Utc()

    class Meta:
        table_name = "users"


class ApiKeys(Table):
    """Keys by the SHA-256 digest of their secret; `scopes` is comma-separated."""

    user_id = _parent(Users, "user_id")
    name = Text(100, default="")
    prefix = Text(16)
    digest = Text(64)
    scopes = Text(100)
    created_at = Utc()
    last_used_at = Utc(null=True)
    revoked_at = Utc(null=True)

    class Meta:
        table_name = "api_keys"


class AnalysisSessions(Table):
    """A field, plot or campaign."""

    user_id = _parent(Users, "user_id")
    session_name = Text(100)
    description = LongText(default="")
    start_date = Day(null=True)
    end_date = Day(null=True)
    created_at = Utc()
    latitude = Number(null=True)
    longitude = Number(null=True)
    timezone = Text(64)
    # {"list": "none"}, {"list": the name of a shipped one} or {"species": [names]}; NULL: the site's list
    region_species = Json(null=True)

    class Meta:
        table_name = "analysis_sessions"
        constraints = (
            _check("ck_analysis_sessions_latitude", "latitude BETWEEN -90 AND 90"),
            _check("ck_analysis_sessions_longitude", "longitude BETWEEN -180 AND 180"),
            _check("ck_analysis_sessions_dates", "start_date <= end_date"),
        )


class DayMetrics(Table):
    """The columns that a session's day and a pooled day share."""

    date = Day()
    total_images = pw.IntegerField(default=0)
    processed_images = pw.IntegerField(default=0)
    species_richness = pw.IntegerField(default=0)
    shannon_diversity = Number(null=True)
    pielou_evenness = Number(null=True)
    simpson_diversity = Number(null=True)
    hill_q0 = Number(null=True)
    hill_q1 = Number(null=True)
    hill_q2 = Number(null=True)
    chao1_estimate = Number(null=True)
    coverage_estimate = Number(null=True)
    known_units = Number(null=True)
    confidence_intervals = Json(default="{}")
    species_counts = Json(default="{}")
    species_frequencies = Json(default="{}")
    top_species = Json(default="[]")
    estimate = Json(null=True)
    model_name = Text(200, default="")
    computed_at = Utc(null=True)
    # NULL marks a row that only holds its predictions together and has not been analysed yet.
    inputs_digest = Text(64, null=True)


class DiversityMetrics(DayMetrics):
    """One day of one session."""

    session_id = _parent(AnalysisSessions, "session_id")

    class Meta:
        table_name = "diversity_metrics"
        constraints = (
            _check(
                "ck_diversity_metrics_images",
                "total_images >= 0 AND processed_images BETWEEN 0 AND total_images",
            ),
        )


class PooledMetrics(DayMetrics):
    """One day of a user over all sessions, kept only for days on which several sessions have photos.

    `processing` is the pooled day's ProcessingRow.
    """

    user_id = _parent(Users, "user_id")
    processing = Json(default="{}")

    class Meta:
        table_name = "pooled_metrics"
        constraints = (
            _check(
                "ck_pooled_metrics_images",
                "total_images >= 0 AND processed_images BETWEEN 0 AND total_images",
            ),
        )


class ImageData(Table):
    """Photos."""

    session_id = _parent(AnalysisSessions, "session_id")
    path = Text(500)
    date = Day()
    date_source = Text(20)
    captured_at = Utc(null=True)
    original_filename = Text(255)
    width = pw.IntegerField()
    height = pw.IntegerField()
    file_size_bytes = pw.IntegerField()
    sha256 = Text(64)
    media_type = Text(50)
    blur_score = Number(null=True)
    exposure_score = Number(null=True)
    brightness_mean = Number(null=True)
    contrast_std = Number(null=True)
    quality_score = Number(null=True)
    low_resolution = pw.BooleanField(default=False)
    fingerprint = Text(64)
    is_processed = pw.BooleanField(default=False)
    is_representative = pw.BooleanField(default=True)
    cluster_id = pw.IntegerField(null=True)
    similarity_score = Number(null=True)
    label = Text(200, null=True)
    label_level = Text(20, null=True)
    label_source = Text(10, null=True)
    label_history = Json(default="[]")
    created_at = Utc()

    class Meta:
        table_name = "image_data"
        constraints = (
            _check("ck_image_data_label_source", "label_source IN ('model', 'human')"),
            _check("ck_image_data_label", "(label IS NULL) = (label_source IS NULL)"),
            _check("ck_image_data_size", "width > 0 AND height > 0 AND file_size_bytes > 0"),
        )


class PredictionResults(Table):
    """What a model said of a photo; a model that looks again, in whatever version, replaces its own row."""

    diversity_metrics_id = _parent(DiversityMetrics, "diversity_metrics_id")
    image_data_id = _parent(ImageData, "image_data_id")
    model_name = Text(200)
    processing_time = Number()
    timestamp = Utc()
    predictions = Json(default="[]")
    top_prediction_species = Text(200)
    top_prediction_confidence = Number()
    mean_confidence = Number()
    prediction_entropy = Number()
    in_domain = Number(null=True)
    classes = pw.IntegerField(null=True)
    masked = pw.BooleanField(null=True)  # NULL: not, as before there were lists
    prior_mass = Number(null=True)
    region = Text(100, null=True)
    model_version = Text(50, null=True)  # NULL: not on record

    class Meta:
        table_name = "prediction_results"
        constraints = (
            _check("ck_prediction_results_top", "top_prediction_confidence BETWEEN 0 AND 1"),
            _check("ck_prediction_results_mean", "mean_confidence BETWEEN 0 AND 1"),
        )


class ProcessingResults(Table):
    """What analysing one day of one session took."""

    session_id = _parent(AnalysisSessions, "session_id")
    date = Day()
    input_images_count = pw.IntegerField(default=0)
    processed_images_count = pw.IntegerField(default=0)
    predictions_count = pw.IntegerField(default=0)
    processing_time_total = Number(default=0.0)
    processing_time_per_image = Number(null=True)
    average_confidence = Number(null=True)
    low_confidence_count = pw.IntegerField(default=0)
    failed_predictions = pw.IntegerField(default=0)
    clusters_found = pw.IntegerField(default=0)
    redundancy_reduction_ratio = Number(default=0.0)
    processing_metadata = Json(default="{}")

    class Meta:
        table_name = "processing_results"
        constraints = (
            _check("ck_processing_results_confidence", "average_confidence BETWEEN 0 AND 1"),
            _check("ck_processing_results_ratio", "redundancy_reduction_ratio BETWEEN 0 AND 1"),
        )


class IdempotencyKeys(Table):
    """Requests sent with an Idempotency-Key; `status` is NULL while the first one is still running."""

    user_id = _parent(Users, "user_id")
    key = Text(255)
    request_digest = Text(64)
    status = pw.IntegerField(null=True)
    response = Json(null=True)
    created_at = Utc()

    class Meta:
        table_name = "idempotency_keys"


# Parents before children, the order in which tables are made.
TABLES: tuple[type[Table], ...] = (
    Users,
    ApiKeys,
    AnalysisSessions,
    DiversityMetrics,
    PooledMetrics,
    ImageData,
    PredictionResults,
    ProcessingResults,
    IdempotencyKeys,
)

# (table, name, columns, unique)
INDEXES: tuple[tuple[type[Table], str, tuple[str, ...], bool], ...] = (
    (Users, "uq_users_username", ("username",), True),
    (Users, "uq_users_email", ("email",), True),
    (Users, "uq_users_api_key", ("api_key",), True),
    (ApiKeys, "uq_api_keys_digest", ("digest",), True),
    (ApiKeys, "idx_api_keys_user", ("user_id",), False),
    (AnalysisSessions, "idx_analysis_sessions_user", ("user_id",), False),
    (DiversityMetrics, "idx_diversity_metrics_date", ("date",), False),
    (DiversityMetrics, "idx_diversity_metrics_session_date", ("session_id", "date"), True),
    (PooledMetrics, "uq_pooled_metrics_user_date", ("user_id", "date"), True),
    (ImageData, "idx_image_data_date", ("date",), False),
    (ImageData, "idx_image_data_session_date", ("session_id", "date"), False),
    (ImageData, "uq_image_data_session_sha256", ("session_id", "sha256"), True),
    (ImageData, "idx_image_data_unprocessed", ("is_processed", "id"), False),
    (
        ImageData,
        "idx_image_data_review",
        (
            "session_id",
            "label_source",
            "label_level",
            "label",
            "quality_score",
            "is_representative",
            "cluster_id",
            "date",
        ),
        False,
    ),
    (PredictionResults, "idx_prediction_results_timestamp", ("timestamp",), False),
    (PredictionResults, "idx_prediction_results_day", ("diversity_metrics_id",), False),
    (PredictionResults, "uq_prediction_results_image_model", ("image_data_id", "model_name"), True),
    (ProcessingResults, "uq_processing_results_session_date", ("session_id", "date"), True),
    (IdempotencyKeys, "uq_idempotency_keys_user_key", ("user_id", "key"), True),
)

for _table, _name, _columns, _unique in INDEXES:
    _fields = tuple(getattr(_table, column) for column in _columns)
    _table.add_index(pw.ModelIndex(_table, _fields, unique=_unique, name=_name))
