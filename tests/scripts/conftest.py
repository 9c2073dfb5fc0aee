"""Running a script's main in this process, as a person would run it in an empty folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run_main(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[list[str]], int]], Run]:
    """Makes of a script's `main` what runs it in a folder without `.env`: exit code, stdout, stderr.

    Keywords are environment variables.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)

    def of(main: Callable[[list[str]], int]) -> Run:
        def call(*arguments: str, **settings: str) -> tuple[int, str, str]:
            for name, value in settings.items():
                monkeypatch.setenv(name, value)
            code = main(list(arguments))
            printed = capsys.readouterr()
            return code, printed.out, printed.err

        return call

    return of
