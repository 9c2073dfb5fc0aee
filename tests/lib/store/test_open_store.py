"""The settings choose the store, and only its code is loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lib import config
from lib.store import open_store
from lib.store.database import DatabaseStore
from lib.store.files import FileStore


def test_a_database_url_means_database_mode(tmp_path: Path) -> None:
    store = open_store(config.load({"DATABASE_URL": f"sqlite:///{tmp_path}/weeds.db"}))
    assert isinstance(store, DatabaseStore)
    assert list(tmp_path.iterdir()) == []  # nothing is opened before it is needed


def test_without_one_it_reads_the_output_folder(tmp_path: Path) -> None:
    store = open_store(config.load({"OUTPUT_DIR": str(tmp_path)}))
    assert isinstance(store, FileStore)
    assert store.output_dir == tmp_path


@pytest.mark.parametrize(
    ("environment", "absent"),
    [
        ({}, ["peewee", "psycopg2"]),
        ({"DATABASE_URL": "sqlite:///x.db"}, ["lib.store.files", "peewee_migrate"]),
    ],
)
def test_the_other_ones_code_is_not_loaded(environment: dict[str, str], absent: list[str]) -> None:
    heavy = [*absent, "numpy", "PIL", "onnxruntime", "msgspec", "flask"]
    code = (
        "import sys; from lib import config; from lib.store import open_store;"
        f"open_store(config.load({environment!r}));"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=config.ROOT, capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"
