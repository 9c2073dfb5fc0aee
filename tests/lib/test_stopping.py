"""Whether the process was asked to end."""

from __future__ import annotations

import pytest

from lib import stopping


def test_it_was_not_until_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "_asked", False)
    assert not stopping.asked()
    stopping.ask()
    assert stopping.asked()
