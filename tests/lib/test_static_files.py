"""Styles and scripts on their way out: without what only people read, and else as they are written."""

from __future__ import annotations

import pytest

from lib.web import static_files

SCRIPTS = [name for name in static_files.MEDIA_TYPES if name.endswith(".js")]


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_goes_out_without_its_remarks(name: str) -> None:
    written = (static_files.FOLDER / name).read_text("utf-8")
    sent = static_files.load(name).data.decode()
    lines = [line.strip() for line in written.splitlines()]
    assert sent.splitlines() == [line for line in lines if line and not line.startswith("//")]
    # Within a text over several lines that would take something away.
    assert all(line.count("`") % 2 == 0 for line in sent.splitlines())
    assert "/*" not in written


def test_the_style_goes_out_without_its_remarks() -> None:
    sent = static_files.load("style.css").data.decode()
    assert "/*" not in sent
    assert "\n" not in sent
    assert 'content:" ▾"' in sent  # texts stay as they are
    assert "calc(100% - 1rem)" in sent
