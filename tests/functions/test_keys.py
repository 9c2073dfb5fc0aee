"""GET, POST and DELETE /api/keys: list, create, revoke. Who may is in test_access.py."""

from __future__ import annotations

from typing import Any

import pytest

from tests.functions.conftest import Client, Server


def test_a_new_key_works_and_is_listed_without_its_secret(server: Server, user: Client) -> None:
    reply = user.post("/api/keys", json={"name": "phone", "scopes": ["read", "read"]})
    assert reply.status_code == 201
    made = reply.json()
    assert (made["name"], made["scopes"], len(made["secret"])) == ("phone", ["read"], 43)
    assert Client(server.base, {"X-API-Key": made["secret"]}).get("/api/sessions").ok
    listed = user.get("/api/keys").json()["keys"]
    assert [key["name"] for key in listed] == ["phone", "first key"]
    assert all("secret" not in key and "digest" not in key for key in listed)


def test_rotation_is_create_then_revoke(server: Server, user: Client) -> None:
    new = user.post("/api/keys", json={"name": "new"}).json()
    rotated = Client(server.base, {"X-API-Key": new["secret"]})
    assert rotated.delete(f"/api/keys?id={user.key_id}").status_code == 204
    assert user.get("/api/sessions").status_code == 401
    old = next(key for key in rotated.get("/api/keys").json()["keys"] if key["id"] == user.key_id)
    assert old["revoked_at"]
    assert rotated.delete(f"/api/keys?id={user.key_id}").status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["admin"]}, "scopes"),
        ({"scopes": "read"}, "scopes"),
        ({"secret": "mine"}, "secret"),
    ],
)
def test_a_bad_field_is_named(user: Client, body: dict[str, Any], field: str) -> None:
    reply = user.post("/api/keys", json=body)
    assert (reply.status_code, reply.json()["errors"][0]["field"]) == (400, field)


@pytest.mark.parametrize("query", ["", "?id=x", "?id=0"])
def test_which_key_to_revoke_must_be_said(user: Client, query: str) -> None:
    reply = user.delete(f"/api/keys{query}")
    assert (reply.status_code, reply.json()["errors"][0]["field"]) == (400, "id")
