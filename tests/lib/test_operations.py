"""Declarations: what they read of a handler, and how they read paths, queries, forms and bodies."""

from __future__ import annotations

import json
from datetime import date
from types import SimpleNamespace
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import operations
from lib.operations import operation
from lib.problems import Problem


class IdPath(msgspec.Struct):
    id: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]


class Query(msgspec.Struct):
    year: Annotated[int, msgspec.Meta(ge=1900, le=2200)] | None = None
    day: date | None = None
    unsure: bool | None = None
    name: str = "none"
    note: str | None = None


class Strict(msgspec.Struct):
    needed: str


class Body(msgspec.Struct):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=10)]
    latitude: Annotated[float, msgspec.Meta(ge=-90, le=90)] | None = None
    tags: list[str] = []  # msgspec copies it
    ids: list[int] = []


class Renamed(msgspec.Struct, rename="camel"):
    first_seen: int = 0


@operation(
    "Everything",
    status=201,
    also=(200,),
    problems=(409,),
    form=Query,
    headers={"X-A": "a"},
    bad_path_status=400,
)
def everything(call: Any, path: IdPath, query: Query, body: Body) -> Body:
    return body


@operation("Nothing")
def get(call: Any) -> dict[str, str]:
    return {}


EVERYTHING: operations.Operation = everything.operation  # type: ignore[attr-defined]


def refused(status: int, read: Any, *arguments: Any) -> Problem:
    with pytest.raises(Problem) as caught:
        read(*arguments)
    assert caught.value.status == status
    return caught.value


def fields(problem: Problem) -> list[str]:
    return [error["field"] for error in problem.errors]


def test_a_declaration_is_read_from_the_handler() -> None:
    assert (EVERYTHING.path, EVERYTHING.query, EVERYTHING.body, EVERYTHING.reply) == (
        IdPath,
        Query,
        Body,
        Body,
    )
    assert (EVERYTHING.status, EVERYTHING.also, EVERYTHING.problems) == (201, (200,), (409,))
    assert (EVERYTHING.form, EVERYTHING.headers, EVERYTHING.bad_path_status) == (Query, {"X-A": "a"}, 400)
    bare: operations.Operation = get.operation  # type: ignore[attr-defined]
    assert (bare.path, bare.query, bare.body, bare.form, bare.status) == (None, None, None, None, 200)
    assert bare.handler("call") == {}


def test_a_modules_operations_are_found_by_method() -> None:
    module = SimpleNamespace(get=get, post=everything, delete=lambda call: None, options=get, put=None)
    assert operations.of_module(module) == {"GET": get.operation, "POST": EVERYTHING}  # type: ignore[attr-defined]


class TestPath:
    def test_it_is_converted(self) -> None:
        assert operations.read_path(EVERYTHING, {"id": "7"}).id == 7

    @pytest.mark.parametrize("text", ["0", "-1", "x", "", "7\x00", "9" * 30, "9" * 5000, "７", "1e400"])
    def test_what_no_object_can_have_is_refused(self, text: str) -> None:
        problem = refused(400, operations.read_path, EVERYTHING, {"id": text})
        assert fields(problem) == ["id"]
        assert problem.kind == "bad-request"

    def test_the_usual_refusal_is_404(self) -> None:
        @operation("x")
        def handler(call: Any, path: IdPath) -> None: ...

        problem = refused(404, operations.read_path, handler.operation, {"id": "x"})  # type: ignore[attr-defined]
        assert problem.kind == "not-found"

    @given(st.text())
    def test_no_text_is_a_failure(self, text: str) -> None:
        try:
            assert operations.read_path(EVERYTHING, {"id": text}).id >= 1
        except Problem as problem:
            status = problem.status
        else:
            return
        assert status == 400


class TestQuery:
    def test_fields_are_converted_and_others_ignored(self) -> None:
        found = operations.read_query(
            EVERYTHING, {"year": ["2025"], "day": ["2025-08-24"], "unsure": ["true"], "utm": ["x", "y"]}
        )
        assert found == Query(2025, date(2025, 8, 24), True, "none")

    def test_an_empty_value_counts_as_left_out(self) -> None:
        assert operations.read_query(EVERYTHING, {"year": [""], "name": [""], "day": []}) == Query()

    def test_null_is_a_word_in_an_address(self) -> None:
        for name in ("year", "day", "unsure"):
            assert fields(refused(400, operations.read_query, EVERYTHING, {name: ["null"]})) == [name]
        assert operations.read_query(EVERYTHING, {"note": ["null"]}) == Query(note="null")

    def test_every_bad_field_is_named(self) -> None:
        problem = refused(
            400,
            operations.read_query,
            EVERYTHING,
            {"year": ["1066"], "day": ["2025-02-30"], "unsure": ["perhaps"], "name": ["a\x00"]},
        )
        assert fields(problem) == ["year", "day", "unsure", "name"]
        assert "`" not in problem.detail
        assert all(error["reason"] in problem.detail for error in problem.errors)

    def test_a_name_given_twice_is_refused_even_with_one_value(self) -> None:
        assert fields(refused(400, operations.read_query, EVERYTHING, {"year": ["2025", "2025"]})) == ["year"]

    def test_a_needed_field_that_is_missing_is_named(self) -> None:
        @operation("x")
        def handler(call: Any, query: Strict) -> None: ...

        problem = refused(400, operations.read_query, handler.operation, {})  # type: ignore[attr-defined]
        assert problem.errors == [{"field": "needed", "reason": "is required"}]

    def test_names_on_the_wire_may_differ_from_ours(self) -> None:
        @operation("x")
        def handler(call: Any, query: Renamed) -> None: ...

        declared = handler.operation  # type: ignore[attr-defined]
        assert operations.read_query(declared, {"firstSeen": ["3"]}) == Renamed(3)
        assert operations.read_query(declared, {"first_seen": ["3"]}) == Renamed(0)

    @given(
        st.dictionaries(st.sampled_from(["year", "day", "unsure", "name"]), st.lists(st.text(), max_size=2))
    )
    def test_no_query_is_a_failure(self, values: dict[str, list[str]]) -> None:
        try:
            assert isinstance(operations.read_query(EVERYTHING, values), Query)
        except Problem as problem:
            named = set(fields(problem))
        else:
            return
        assert named
        assert named <= set(values)


class TestForm:
    def test_it_is_read_as_a_query_is(self) -> None:
        assert operations.read_form(
            EVERYTHING, {"year": ["2025"], "name": [""], "csrf_token": ["x"]}
        ) == Query(2025)
        assert fields(refused(400, operations.read_form, EVERYTHING, {"year": ["x"]})) == ["year"]
        assert fields(refused(400, operations.read_form, EVERYTHING, {"year": ["1999", "2000"]})) == ["year"]


class TestBody:
    def test_it_is_converted(self) -> None:
        found = operations.read_body(
            EVERYTHING, "application/json; charset=utf-8", '{"name":"畑","latitude":43}'.encode()
        )
        assert found == Body("畑", 43.0)

    @pytest.mark.parametrize("media_type", ["", "text/json", "text/plain", "multipart/form-data", "json"])
    def test_another_media_type_is_refused(self, media_type: str) -> None:
        assert (
            refused(415, operations.read_body, EVERYTHING, media_type, b"{}").headers["Accept"]
            == "application/json"
        )

    @pytest.mark.parametrize(
        "data", [b"", b"{", b"[1]", b"7", b"null", b'{"name":NaN}', b"\xff\xfe{\x00}\x00", b"[" * 9999]
    )
    def test_what_is_no_object_is_refused(self, data: bytes) -> None:
        assert fields(refused(400, operations.read_body, EVERYTHING, "application/json", data)) == ["body"]

    def test_types_are_not_guessed(self) -> None:
        data = json.dumps({"name": 7, "latitude": "43", "tags": "a"}).encode()
        problem = refused(400, operations.read_body, EVERYTHING, "application/json", data)
        assert fields(problem) == ["name", "latitude", "tags"]

    def test_unknown_and_bad_and_missing_fields_are_named_together(self) -> None:
        problem = refused(
            400, operations.read_body, EVERYTHING, "application/json", b'{"nom":"x","latitude":91}'
        )
        assert fields(problem) == ["nom", "name", "latitude"]
        assert "name, latitude, tags, ids" in problem.errors[0]["reason"]

    def test_ten_thousand_unknown_fields_are_not_all_repeated(self) -> None:
        data = json.dumps({f"field{n}": 1 for n in range(5000)} | {"x" * 500: 1}).encode()
        problem = refused(400, operations.read_body, EVERYTHING, "application/json", data)
        assert len(problem.errors) <= operations.UNKNOWN_NAMED + 1

    def test_a_long_unknown_name_is_cut(self) -> None:
        data = json.dumps({"name": "a", "x" * 500: 1}).encode()
        assert fields(refused(400, operations.read_body, EVERYTHING, "application/json", data)) == ["x" * 100]

    @pytest.mark.parametrize(
        "text", ['{"name":"a\\u0000"}', '{"name":""}', '{"name":"12345678901"}', '{"name":null}']
    )
    def test_names_that_cannot_be_kept_are_refused(self, text: str) -> None:
        assert fields(refused(400, operations.read_body, EVERYTHING, "application/json", text.encode())) == [
            "name"
        ]

    def test_a_whole_number_may_be_written_with_a_point(self) -> None:
        """As JSON Schema has it, and as programs write it that know only one kind of number."""
        body = b'{"name":"a","ids":[36.0, 2e3, 4089927159.0],"latitude":43.0}'
        found = operations.read_body(EVERYTHING, "application/json", body)
        assert found == Body("a", 43.0, ids=[36, 2000, 4089927159])
        for number in ("36.5", "1e300"):
            data = f'{{"name":"a","ids":[{number}]}}'.encode()
            assert fields(refused(400, operations.read_body, EVERYTHING, "application/json", data)) == ["ids"]

    def test_numbers_beyond_a_float_are_refused(self) -> None:
        for number in ("1e999", "-1e999", "9" * 400):
            data = f'{{"name":"a","latitude":{number}}}'.encode()
            refused(400, operations.read_body, EVERYTHING, "application/json", data)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda each: st.lists(each) | st.dictionaries(st.text(), each),
)


@given(st.dictionaries(st.sampled_from(["name", "latitude", "tags", "other"]), JSON_VALUES))
def test_a_body_that_is_taken_holds_what_it_declares(values: dict[str, Any]) -> None:
    try:
        found = operations.read_body(EVERYTHING, "application/json", json.dumps(values).encode())
    except Problem as problem:
        status = problem.status
    else:
        assert 1 <= len(found.name) <= 10
        assert found.latitude is None or -90 <= found.latitude <= 90
        return
    assert status == 400


class TestReplies:
    @given(st.dictionaries(st.text(), st.text() | st.integers()))
    def test_they_are_json(self, reply: dict[str, Any]) -> None:
        assert json.loads(operations.encode(reply)) == reply

    def test_a_number_that_is_none_becomes_null(self) -> None:
        assert operations.encode({"value": float("nan"), "n": 1}) == b'{"value":null,"n":1}'

    def test_a_struct_is_encoded_under_its_names(self) -> None:
        assert operations.encode(Renamed(3)) == b'{"firstSeen":3}'
