"""GET /openapi.json: the contract of every route. Its making is tested in tests/lib/test_openapi.py."""

from __future__ import annotations

import functions
from tests.functions.conftest import Client


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
