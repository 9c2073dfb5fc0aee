"""scripts/translations.py: says what is missing, writes what is complete, changes nothing twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import translations


@pytest.fixture
def catalogues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder instead of the project's catalogues."""
    monkeypatch.setattr(translations, "CATALOGUES", tmp_path)
    return tmp_path


def test_the_projects_catalogues_are_in_step(capsys: pytest.CaptureFixture[str]) -> None:
    assert translations.main(["--check"]) == 0
    assert capsys.readouterr().err == ""


def test_it_names_every_text_without_a_translation(
    catalogues: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert translations.main([]) == 1
    told = capsys.readouterr().err
    assert "ja: no translation of 'Sign in'" in told
    assert "en: no translation" not in told  # English texts are their own translation


def test_a_second_run_changes_nothing(catalogues: Path) -> None:
    translations.main([])
    first = {path: path.read_bytes() for path in catalogues.rglob("messages.*")}
    translations.main([])
    assert {path: path.read_bytes() for path in catalogues.rglob("messages.*")} == first
    assert len(first) == 4


def test_what_a_person_wrote_stays_and_what_is_gone_goes(catalogues: Path) -> None:
    translations.main([])
    path = catalogues / "ja" / "LC_MESSAGES" / "messages.po"
    text = path.read_text("utf-8").replace('msgid "Sign in"\nmsgstr ""', 'msgid "Sign in"\nmsgstr "入る"')
    path.write_text(text + '\nmsgid "Gone"\nmsgstr "消えた"\n', "utf-8")
    translations.main([])
    assert 'msgid "Sign in"\nmsgstr "入る"' in path.read_text("utf-8")
    assert "消えた" not in path.read_text("utf-8")


def test_checking_writes_nothing(catalogues: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert translations.main(["--check"]) == 1
    assert "ja/LC_MESSAGES/messages.mo: out of step" in capsys.readouterr().err
    assert list(catalogues.rglob("*")) == []
