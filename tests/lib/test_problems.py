"""Problems: the document, its headers, and the constructors for common refusals."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import problems
from lib.problems import Problem

STATUSES = (400, 401, 403, 404, 405, 408, 409, 410, 413, 414, 415, 416, 422, 429, 431, 500, 503, 507)


def test_the_document_has_the_members_of_rfc_9457_and_ours() -> None:
    problem = Problem(
        409, "Taken", "The name is taken.", kind="duplicate", errors=[{"field": "a", "reason": "b"}]
    )
    assert problem.as_dict("/api/keys", "r-1") == {
        "type": "/docs/problems#duplicate",
        "title": "Taken",
        "status": 409,
        "detail": "The name is taken.",
        "instance": "/api/keys",
        "request_id": "r-1",
        "errors": [{"field": "a", "reason": "b"}],
    }


@pytest.mark.parametrize("status", STATUSES)
def test_a_bare_status_explains_itself(status: int) -> None:
    document = Problem(status).as_dict()
    assert document["title"]
    assert document["detail"] == document["title"]
    assert document["type"].startswith("/docs/problems#")
    assert " " not in document["type"]
    assert "errors" not in document


def test_extensions_become_members() -> None:
    assert Problem(404, metrics=["hill_q1"]).as_dict()["metrics"] == ["hill_q1"]


@pytest.mark.parametrize("status", [429, 503])
def test_what_may_be_tried_again_says_when(status: int) -> None:
    assert int(Problem(status).headers["Retry-After"]) > 0
    assert Problem(status, headers={"Retry-After": "60"}).headers["Retry-After"] == "60"


def test_what_may_not_be_tried_again_does_not() -> None:
    assert "Retry-After" not in Problem(404).headers


def test_its_lists_and_headers_are_its_own() -> None:
    errors: list[problems.FieldError] = []
    headers = {"Accept": "x"}
    problem = Problem(503, errors=errors, headers=headers)
    problem.errors.append({"field": "a", "reason": "b"})
    assert errors == []
    assert headers == {"Accept": "x"}


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"])))
def test_the_response_is_the_document_in_utf_8(detail: str, instance: str) -> None:
    problem = Problem(422, detail=detail, headers={"Accept": "application/json"})
    response = problem.as_response(instance, "r-1")
    assert response.status_code == 422
    assert response.content_type == "application/problem+json"
    assert response.headers["Accept"] == "application/json"
    assert json.loads(response.data) == problem.as_dict(instance, "r-1")


def test_japanese_stays_readable_on_the_wire() -> None:
    assert "畑".encode() in Problem(404, detail="畑").as_response("/", "r").data


def test_the_exception_reads_as_its_detail() -> None:
    assert str(Problem(404, "Title", "Detail")) == "Detail"
    assert str(Problem(404, "Title")) == "Title"
    assert str(Problem(404)) == "404"


def test_bad_request_names_its_field() -> None:
    problem = problems.bad_request("must be a date", field="date")
    assert (problem.status, problem.errors) == (400, [{"field": "date", "reason": "must be a date"}])
    assert problems.bad_request("no").errors == []


def test_invalid_names_each_field_once() -> None:
    problem = problems.invalid([{"field": name, "reason": "x"} for name in ("a", "b", "a")])
    assert (problem.status, problem.detail) == (422, "Not accepted: a, b.")
    assert len(problem.errors) == 3


def test_the_other_constructors_have_their_status_and_headers() -> None:
    assert problems.not_found("Gone", metrics=[1]).as_dict()["metrics"] == [1]
    assert problems.not_found().status == 404
    assert problems.unauthorized("x").headers["WWW-Authenticate"].startswith("Bearer ")
    assert problems.unauthorized("x").status == 401
    assert problems.forbidden("x").status == 403
    assert problems.too_large(65536).status == 413
    assert "65,536" in problems.too_large(65536).detail
    unavailable = problems.unavailable("x", retry_after=30, kind="file-mode")
    assert (unavailable.status, unavailable.kind, unavailable.headers) == (
        503,
        "file-mode",
        {"Retry-After": "30"},
    )


def test_a_status_of_the_framework_is_explained() -> None:
    problem = problems.of_http(405, {"Allow": "GET"})
    assert (problem.status, problem.headers, problem.kind) == (405, {"Allow": "GET"}, "method-not-allowed")
    assert problem.detail != problem.title
    assert problems.of_http(416).as_dict()["detail"]


def test_a_kind_is_the_same_under_every_python() -> None:
    assert problems.of_http(413).kind == problems.too_large(1).kind == "request-too-large"
    assert problems.of_http(416).kind == "range-not-satisfiable"


def test_an_internal_error_points_to_the_log() -> None:
    problem = problems.internal_error()
    assert (problem.status, problem.kind) == (500, "internal-error")
    assert "request id" in problem.detail
