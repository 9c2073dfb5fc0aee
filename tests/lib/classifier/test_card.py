"""What a model folder says of itself without being loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from lib.classifier.card import Card, read_card
from tests.lib.classifier.conftest import MakeFolder


def test_it_reads_name_version_and_classes(make_folder: MakeFolder) -> None:
    assert read_card(make_folder(name="other", version="3")) == Card("other", "3", 4, True)


def test_a_folder_without_its_graph_is_not_available(make_folder: MakeFolder) -> None:
    path = make_folder()
    (path / "model.onnx").unlink()
    assert read_card(path) == Card("mean-colour", "1", 4, False)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "\x00", "[" * 100_000, '{"name": "\\ud800", "version": "1"}']
)
def test_an_unreadable_card_is_an_empty_one(make_folder: MakeFolder, text: str) -> None:
    path = make_folder()
    (path / "model.json").write_text(text)
    assert read_card(path) == Card()


def test_a_missing_folder_is_an_empty_card(tmp_path: Path) -> None:
    assert read_card(tmp_path / "nowhere") == Card()
