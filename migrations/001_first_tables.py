"""The first tables: people and their keys, sessions, days, photos, predictions.

Written as SQL and not from lib.store.models, because a migration must do the same thing for ever, whatever the
models become. `scripts/migrate.py check` compares the two.
"""

from __future__ import annotations

# What SQLite and PostgreSQL call the same thing. AUTOINCREMENT: a number is never given to a second row.
SQLITE = {
    "id": "INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT",
    "boolean": "INTEGER",
    "json": "TEXT",
    "double": "REAL",
    "utc": "TEXT",
}
POSTGRES = {
    "id": "SERIAL NOT NULL PRIMARY KEY",
    "boolean": "BOOLEAN",
    "json": "JSONB",
    "double": "DOUBLE PRECISION",
    "utc": "TIMESTAMPTZ",
}

DAY_COLUMNS = """
    date DATE NOT NULL,
    total_images INTEGER NOT NULL,
    processed_images INTEGER NOT NULL,
    species_richness INTEGER NOT NULL,
    shannon_diversity {double},
    pielou_evenness {double},
    simpson_diversity {double},
    hill_q0 {double},
    hill_q1 {double},
    hill_q2 {double},
    chao1_estimate {double},
    coverage_estimate {double},
    confidence_intervals {json} NOT NULL,
    species_counts {json} NOT NULL,
    species_frequencies {json} NOT NULL,
    top_species {json} NOT NULL,
    model_name VARCHAR(200) NOT NULL,
    computed_at {utc},
    inputs_digest VARCHAR(64)"""

TABLES = {
    "users": """
    id {id},
    username VARCHAR(50) NOT NULL,
    email VARCHAR(100) NOT NULL,
    api_key VARCHAR(64) NOT NULL,
    is_active {boolean} NOT NULL,
    created_at {utc} NOT NULL""",
    "api_keys": """
    id {id},
    user_id INTEGER NOT NULL,
    name VARCHAR(100) NOT NULL,
    prefix VARCHAR(16) NOT NULL,
    digest VARCHAR(64) NOT NULL,
    scopes VARCHAR(100) NOT NULL,
    created_at {utc} NOT NULL,
    last_used_at {utc},
    revoked_at {utc},
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE""",
    "analysis_sessions": """
    id {id},
    user_id INTEGER NOT NULL,
    session_name VARCHAR(100) NOT NULL,
    description TEXT NOT NULL,
    start_date DATE,
    end_date DATE,
    created_at {utc} NOT NULL,
    latitude {double},
    longitude {double},
    timezone VARCHAR(64) NOT NULL,
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT ck_analysis_sessions_latitude CHECK (latitude BETWEEN -90 AND 90),
    CONSTRAINT ck_analysis_sessions_longitude CHECK (longitude BETWEEN -180 AND 180),
    CONSTRAINT ck_analysis_sessions_dates CHECK (start_date <= end_date)""",
    "diversity_metrics": f"""
    id {{id}},{DAY_COLUMNS},
    session_id INTEGER NOT NULL,
    FOREIGN KEY (session_id) REFERENCES analysis_sessions (id) ON DELETE CASCADE,
    CONSTRAINT ck_diversity_metrics_images
        CHECK (total_images >= 0 AND processed_images BETWEEN 0 AND total_images)""",
    "pooled_metrics": f"""
    id {{id}},{DAY_COLUMNS},
    user_id INTEGER NOT NULL,
    processing {{json}} NOT NULL,
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT ck_pooled_metrics_images
        CHECK (total_images >= 0 AND processed_images BETWEEN 0 AND total_images)""",
    "image_data": """
    id {id},
    session_id INTEGER NOT NULL,
    path VARCHAR(500) NOT NULL,
    date DATE NOT NULL,
    date_source VARCHAR(20) NOT NULL,
    captured_at {utc},
    original_filename VARCHAR(255) NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    file_size_bytes INTEGER NOT NULL,
    sha256 VARCHAR(64) NOT NULL,
    media_type VARCHAR(50) NOT NULL,
    blur_score {double},
    exposure_score {double},
    brightness_mean {double},
    contrast_std {double},
    quality_score {double},
    low_resolution {boolean} NOT NULL,
    fingerprint VARCHAR(64) NOT NULL,
    is_processed {boolean} NOT NULL,
    is_representative {boolean} NOT NULL,
    cluster_id INTEGER,
    similarity_score {double},
    label VARCHAR(200),
    label_level VARCHAR(20),
    label_source VARCHAR(10),
    label_history {json} NOT NULL,
    created_at {utc} NOT NULL,
    FOREIGN KEY (session_id) REFERENCES analysis_sessions (id) ON DELETE CASCADE,
    CONSTRAINT ck_image_data_label_source CHECK (label_source IN ('model', 'human')),
    CONSTRAINT ck_image_data_label CHECK ((label IS NULL) = (label_source IS NULL)),
    CONSTRAINT ck_image_data_size CHECK (width > 0 AND height > 0 AND file_size_bytes > 0)""",
    "prediction_results": """
    id {id},
    diversity_metrics_id INTEGER NOT NULL,
    image_data_id INTEGER NOT NULL,
    model_name VARCHAR(200) NOT NULL,
    processing_time {double} NOT NULL,
    timestamp {utc} NOT NULL,
    predictions {json} NOT NULL,
    top_prediction_species VARCHAR(200) NOT NULL,
    top_prediction_confidence {double} NOT NULL,
    mean_confidence {double} NOT NULL,
    prediction_entropy {double} NOT NULL,
    FOREIGN KEY (diversity_metrics_id) REFERENCES diversity_metrics (id) ON DELETE CASCADE,
    FOREIGN KEY (image_data_id) REFERENCES image_data (id) ON DELETE CASCADE,
    CONSTRAINT ck_prediction_results_top CHECK (top_prediction_confidence BETWEEN 0 AND 1),
    CONSTRAINT ck_prediction_results_mean CHECK (mean_confidence BETWEEN 0 AND 1)""",
    "processing_results": """
    id {id},
    session_id INTEGER NOT NULL,
    date DATE NOT NULL,
    input_images_count INTEGER NOT NULL,
    processed_images_count INTEGER NOT NULL,
    predictions_count INTEGER NOT NULL,
    processing_time_total {double} NOT NULL,
    processing_time_per_image {double},
    average_confidence {double},
    low_confidence_count INTEGER NOT NULL,
    failed_predictions INTEGER NOT NULL,
    clusters_found INTEGER NOT NULL,
    redundancy_reduction_ratio {double} NOT NULL,
    processing_metadata {json} NOT NULL,
    FOREIGN KEY (session_id) REFERENCES analysis_sessions (id) ON DELETE CASCADE,
    CONSTRAINT ck_processing_results_confidence CHECK (average_confidence BETWEEN 0 AND 1),
    CONSTRAINT ck_processing_results_ratio CHECK (redundancy_reduction_ratio BETWEEN 0 AND 1)""",
    "idempotency_keys": """
    id {id},
    user_id INTEGER NOT NULL,
    key VARCHAR(255) NOT NULL,
    request_digest VARCHAR(64) NOT NULL,
    status INTEGER,
    response {json},
    created_at {utc} NOT NULL,
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE""",
}

INDEXES = (
    "UNIQUE INDEX uq_users_username ON users (username)",
    "UNIQUE INDEX uq_users_email ON users (email)",
    "UNIQUE INDEX uq_users_api_key ON users (api_key)",
    "UNIQUE INDEX uq_api_keys_digest ON api_keys (digest)",
    "INDEX idx_api_keys_user ON api_keys (user_id)",
    "INDEX idx_analysis_sessions_user ON analysis_sessions (user_id)",
    "INDEX idx_diversity_metrics_date ON diversity_metrics (date)",
    "UNIQUE INDEX idx_diversity_metrics_session_date ON diversity_metrics (session_id, date)",
    "UNIQUE INDEX uq_pooled_metrics_user_date ON pooled_metrics (user_id, date)",
    "INDEX idx_image_data_date ON image_data (date)",
    "INDEX idx_image_data_session_date ON image_data (session_id, date)",
    "UNIQUE INDEX uq_image_data_session_sha256 ON image_data (session_id, sha256)",
    "INDEX idx_image_data_unprocessed ON image_data (is_processed, id)",
    "INDEX idx_prediction_results_timestamp ON prediction_results (timestamp)",
    "INDEX idx_prediction_results_day ON prediction_results (diversity_metrics_id)",
    "UNIQUE INDEX uq_prediction_results_image_model ON prediction_results (image_data_id, model_name)",
    "UNIQUE INDEX uq_processing_results_session_date ON processing_results (session_id, date)",
    "UNIQUE INDEX uq_idempotency_keys_user_key ON idempotency_keys (user_id, key)",
)


def migrate(migrator, database, *, fake=False):
    """Makes the tables, parents first."""
    types = POSTGRES if database.param == "%s" else SQLITE
    for name, columns in TABLES.items():
        migrator.sql(f"CREATE TABLE {name} ({columns.format(**types)}\n)")
    for index in INDEXES:
        migrator.sql(f"CREATE {index}")


def rollback(migrator, database, *, fake=False):
    """Drops the tables with all they hold, children first."""
    for name in reversed(TABLES):
        migrator.sql(f"DROP TABLE {name}")
