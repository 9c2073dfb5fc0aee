"""DELETE /api/keys/{id}: revoke one key."""

from __future__ import annotations

import pytest

from tests.functions.conftest import Client


def test_a_revoked_key_is_out_at_once(user: Client) -> None:
    assert user.delete(f"/api/keys/{user.key_id}").status_code == 204
    assert user.get("/api/status").status_code == 401


@pytest.mark.parametrize("number", ["0", "x", "999999999"])
def test_what_is_no_key_of_the_user_is_not_found(user: Client, number: str) -> None:
    assert user.delete(f"/api/keys/{number}").status_code == 404
