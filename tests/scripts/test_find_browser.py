"""The Chromium of the tests: found by one rule, installed where it may be, asked for in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import find_browser


def program(path: Path) -> Path:
    path.write_text("#!/bin/sh\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_it_takes_the_browser_that_is_named_before_those_on_the_path(tmp_path: Path) -> None:
    program(tmp_path / "chromium")
    other = program(tmp_path / "mine")
    assert find_browser.find({"PATH": str(tmp_path)}) == str(tmp_path / "chromium")
    assert find_browser.find({"PATH": str(tmp_path), "CHROMIUM": str(other)}) == str(other)


def test_it_names_what_is_not_there_instead_of_taking_another(tmp_path: Path) -> None:
    program(tmp_path / "chromium")
    environ = {"PATH": str(tmp_path), "CHROMIUM": "/nowhere/chrome"}
    assert find_browser.find(environ) is None
    assert "/nowhere/chrome" in find_browser.missing(environ)


@pytest.mark.parametrize(("ci", "status"), [("", 0), ("true", 1)])
def test_only_ci_fails_without_a_browser_and_one_line_says_what_to_do(
    ci: str, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setattr(find_browser, "find", lambda: None)
    monkeypatch.setattr(find_browser, "install", lambda: False)
    assert find_browser.main(["--install"]) == status
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert "apt-get install chromium" in said.err


def test_a_system_that_cannot_install_is_left_alone(tmp_path: Path) -> None:
    # A failing apt-get, as without a network; sudo is not asked for outside of CI.
    apt = program(tmp_path / "apt-get")
    apt.write_text("#!/bin/sh\nexit 100\n", encoding="utf-8")
    assert not find_browser.install({"PATH": str(tmp_path)})
    apt.unlink()
    assert not find_browser.install({"PATH": str(tmp_path), "CI": "true"})
