"""Fixtures that every part of the suite shares: real photos and real databases."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def photos_dir() -> Path:
    """The folder of labelled plant photos; a test that needs it is skipped without, but never in CI."""
    folder = Path(os.environ.get("PLANT_PHOTOS", ROOT.parent / "shared" / "photos")) / "plant_seedlings"
    if folder.is_dir():
        return folder
    message = f"labelled plant photos are missing: {folder} (set PLANT_PHOTOS)"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)
