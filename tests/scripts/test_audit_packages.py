"""scripts/audit_packages.py tells what the index of vulnerabilities says, and when it says nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts import audit_packages

Run = Callable[..., tuple[int, str, str]]
KNOWN = {"id": "PYSEC-2099-1", "fix_versions": ["2.0"], "aliases": [], "description": "bad"}
GOOD = {"name": "flask", "version": "3.1.3", "vulns": []}
BAD = {"name": "pillow", "version": "1.0", "vulns": [KNOWN]}
UNKNOWN = {"name": "own", "skip_reason": "Dependency not found on PyPI"}


@pytest.fixture
def run(run_main: Callable[..., Run]) -> Run:
    return run_main(audit_packages.main)


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """An interpreter that answers in the place of pip-audit, since the index itself is another machine's."""

    def answer(text: str) -> None:
        stand_in = tmp_path / "python"
        stand_in.write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\n")
        stand_in.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(stand_in))

    return answer


@pytest.mark.parametrize(
    ("listed", "code", "strict", "words"),
    [
        ([GOOD], 0, 0, "1 packages audited, 0 with known vulnerabilities\n"),
        ([GOOD, BAD], 1, 1, "2 packages audited, 1 with known vulnerabilities\n"),
        ([GOOD, UNKNOWN], 0, 3, "1 packages audited, 0 with known vulnerabilities; 1 that the index here"),
    ],
)
def test_it_fails_for_what_is_known(
    run: Run, answers: Callable[[str], None], listed: list[object], code: int, strict: int, words: str
) -> None:
    answers(json.dumps({"dependencies": listed, "fixes": []}))
    found, out, err = run()
    assert found == code
    assert out.startswith(words)
    assert err == ("pillow 1.0: PYSEC-2099-1, mended in 2.0\n" if BAD in listed else "")
    assert run("--strict")[0] == strict


@pytest.mark.parametrize("text", ["", "Traceback (most recent call last):", "[]", "{}"])
def test_without_an_answer_it_says_so(run: Run, answers: Callable[[str], None], text: str) -> None:
    answers(text)
    code, out, err = run()
    assert (code, out) == (0, "")
    assert err.startswith("The packages were not audited")
    assert run("--strict")[0] == 3
