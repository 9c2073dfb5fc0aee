"""GET /openapi.json: the contract of every route, and that they keep it. Its making: tests/lib/test_openapi.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import functions
from scripts.benchmarks import fuzz
from tests.functions.conftest import Client, Server

EXAMPLES = 2  # of each operation; `scripts/bench.py fuzz` makes as many as one likes


def test_it_lists_every_route_and_method_that_is_no_page(visitor: Client) -> None:
    document = visitor.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    listed = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert listed == {
        (method, path)
        for function in functions.FUNCTIONS
        if not function.page
        for path in function.paths
        for method in function.methods
    }


def test_every_operation_has_a_name_of_its_own(visitor: Client) -> None:
    document = visitor.get("/openapi.json").json()
    names = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("scopes", [(), ("read", "write", "jobs")], ids=["nobody", "owner"])
def test_no_request_is_answered_but_as_the_document_says(
    server: Server, photo: Callable[..., bytes], tmp_path: Path, scopes: tuple[str, ...]
) -> None:
    client = server.user(*scopes) if scopes else server.visitor()
    session = None
    if "write" in scopes:
        session = client.upload(("a.jpg", photo(1)), ("b.jpg", photo(2)), date="2025-06-10").json()[
            "session_id"
        ]
    found = fuzz.ask(
        server.base,
        tmp_path,
        key=client.secret,
        keep_key=client.key_id or "",
        keep_session=session or "",
        examples=EXAMPLES,
    )
    assert found.failures == []
    assert found.cases > 1000
    # Every operation was asked, and what asks for a key was answered as it must be.
    assert len(found.operations) >= sum(
        len(function.methods) * len(function.paths) for function in functions.FUNCTIONS if not function.page
    )
    assert {200, 400, 404, 405} <= set(found.statuses)
    assert (201 in found.statuses) == ("write" in scopes)
