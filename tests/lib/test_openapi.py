"""The OpenAPI document: whole, valid in itself, and true of what the routes answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

import functions
from lib import keys, openapi, operations
from lib.config import load
from lib.routes import Function, import_function
from lib.store.database import DatabaseStore

SERVED = [function for function in functions.FUNCTIONS if not function.page]
# Every keyword of JSON Schema that `check` below understands; an unknown one would be a promise nobody checks.
KEYWORDS = {
    "$ref", "additionalProperties", "anyOf", "contentMediaType", "default", "description", "enum", "examples",
    "format", "items", "maxItems", "maxLength", "maximum", "minItems", "minLength", "minimum", "pattern",
    "properties", "required", "title", "type",
}  # fmt: skip
TYPES: Mapping[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi.document(functions.FUNCTIONS)


def described(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    """Every object within a JSON value."""
    if isinstance(node, dict):
        yield node
        for each in node.values():
            yield from nodes(each)
    elif isinstance(node, list):
        for each in node:
            yield from nodes(each)


def schemas(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A schema and every schema within it."""
    yield schema
    below = [*schema.get("properties", {}).values(), *schema.get("anyOf", [])]
    below += [
        schema[name] for name in ("items", "additionalProperties") if isinstance(schema.get(name), dict)
    ]
    for each in below:
        yield from schemas(each)


def resolve(document: dict[str, Any], reference: str) -> dict[str, Any]:
    found: Any = document
    assert reference.startswith("#/")
    for part in reference[2:].split("/"):
        found = found[part]
    assert isinstance(found, dict)
    return found


def check(document: dict[str, Any], schema: dict[str, Any], value: Any, place: str = "$") -> list[str]:
    """What is wrong with `value` under `schema`."""
    if "$ref" in schema:
        return check(document, resolve(document, schema["$ref"]), value, place)
    if "anyOf" in schema:
        failures = [check(document, option, value, place) for option in schema["anyOf"]]
        return [] if [] in failures else [line for lines in failures for line in lines]
    wrong = []
    kind = schema.get("type")
    if kind is not None:
        fits = isinstance(value, TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))
        if not fits:
            return [f"{place}: {value!r} is no {kind}"]
    if "enum" in schema and value not in schema["enum"]:
        wrong.append(f"{place}: {value!r} is not in {schema['enum']}")
    if isinstance(value, (int, float)) and not schema.get("minimum", value) <= value <= schema.get(
        "maximum", value
    ):
        wrong.append(f"{place}: {value!r} is out of range")
    if isinstance(value, str) and schema.get("format") == "date":
        try:
            date.fromisoformat(value)
        except ValueError:
            wrong.append(f"{place}: {value!r} is no date")
    if isinstance(value, str) and "pattern" in schema and not re.search(schema["pattern"], value):
        wrong.append(f"{place}: {value!r} is not written as it must be")
    if isinstance(value, dict):
        properties, others = schema.get("properties", {}), schema.get("additionalProperties", True)
        wrong += [f"{place}: {name} is missing" for name in schema.get("required", []) if name not in value]
        for name, each in value.items():
            if name in properties:
                wrong += check(document, properties[name], each, f"{place}.{name}")
            elif isinstance(others, dict):
                wrong += check(document, others, each, f"{place}.{name}")
            elif properties and "additionalProperties" not in schema:
                wrong.append(f"{place}: {name} is not declared")
    if isinstance(value, list) and "items" in schema:
        for index, each in enumerate(value):
            wrong += check(document, schema["items"], each, f"{place}[{index}]")
    return wrong


def test_the_check_can_fail() -> None:
    document = {"components": {"schemas": {"N": {"type": "integer", "minimum": 1}}}}
    reference = {"$ref": "#/components/schemas/N"}
    schema = {
        "type": "object",
        "required": ["n"],
        "properties": {
            "n": reference,
            "l": {"type": "array", "items": {"anyOf": [reference, {"type": "null"}]}},
        },
    }
    assert check(document, schema, {"n": 1, "l": [2, None]}) == []
    for bad in ({}, {"n": 0}, {"n": True}, {"n": 1, "l": [0]}, {"n": 1, "m": 1}, [], {"n": 1, "l": {}}):
        assert check(document, schema, bad)


class TestStructure:
    def test_it_is_openapi_3_1(self, document: dict[str, Any]) -> None:
        assert re.fullmatch(r"3\.1\.\d+", document["openapi"])
        assert {"title", "version"} <= set(document["info"])
        assert set(document) <= {"openapi", "info", "servers", "paths", "components", "security", "tags"}

    def test_every_reference_leads_somewhere(self, document: dict[str, Any]) -> None:
        references = [node["$ref"] for node in nodes(document) if "$ref" in node]
        assert references
        assert all(resolve(document, reference) for reference in references)

    def test_every_component_has_a_lawful_name_and_is_used(self, document: dict[str, Any]) -> None:
        names = set(document["components"]["schemas"])
        assert all(re.fullmatch(r"[A-Za-z0-9._-]+", name) for name in names)
        assert names == {node["$ref"].rsplit("/", 1)[1] for node in nodes(document) if "$ref" in node}

    def test_every_schema_says_only_what_is_checked_here(self, document: dict[str, Any]) -> None:
        whole = list(document["components"]["schemas"].values())
        for _, _, operation in described(document):
            whole += [parameter["schema"] for parameter in operation["parameters"]]
            whole += [node["schema"] for node in nodes(operation["responses"]) if "schema" in node]
        for schema in whole:
            for each in schemas(schema):
                assert set(each) <= KEYWORDS, each
                assert each.get("type", "null") in TYPES

    def test_photos_are_described_as_files(self, document: dict[str, Any]) -> None:
        content = document["paths"]["/api/upload"]["post"]["requestBody"]["content"]
        form = resolve(document, content["multipart/form-data"]["schema"]["$ref"])
        files = form["properties"]["files"]
        assert files["items"] == {"type": "string", "contentMediaType": "application/octet-stream"}
        assert (files["type"], files["minItems"], files["maxItems"]) == ("array", 1, 50)
        assert form["required"] == ["files"]
        types = content["multipart/form-data"]["encoding"]["files"]["contentType"]
        assert types == "image/jpeg, image/png, image/webp, image/heic"

    def test_nothing_in_an_address_or_a_form_is_null(self, document: dict[str, Any]) -> None:
        """There it could not be told from the word; what nobody filled in is empty, or left out."""
        for path, _, operation in described(document):
            for parameter in operation["parameters"]:
                assert {"type": "null"} not in parameter["schema"].get("anyOf", []), path
                may_be_empty = parameter["in"] == "query" and not parameter["required"]
                assert parameter.get("allowEmptyValue", False) == may_be_empty, path
        for each in document["components"]["schemas"]["Form"]["properties"].values():
            assert {"type": "null"} not in each.get("anyOf", [])
        optional = document["components"]["schemas"]["Form"]["properties"]["date"]
        assert check(document, optional, "") == check(document, optional, "2025-06-01") == []

    @pytest.mark.parametrize(
        ("path", "name", "good", "bad"),
        [
            ("/api/time-series", "metrics", "hill_q1, ,shannon_diversity,", "hill_q1 shannon_diversity"),
            ("/api/compare", "a", "..2025-06-30", "2025-06-01...2025-06-30"),
            ("/api/compare", "b", " session:12", "session: 12"),
        ],
    )
    def test_how_a_text_is_written_is_described(
        self, document: dict[str, Any], path: str, name: str, good: str, bad: str
    ) -> None:
        parameters = document["paths"][path]["get"]["parameters"]
        (schema,) = [each["schema"] for each in parameters if each["name"] == name]
        assert check(document, schema, good) == []
        assert len(check(document, schema, bad)) == 1

    def test_operation_ids_are_unique(self, document: dict[str, Any]) -> None:
        names = [operation["operationId"] for _, _, operation in described(document)]
        assert len(names) == len(set(names))

    def test_the_parameters_of_a_path_are_those_it_names(self, document: dict[str, Any]) -> None:
        for path, method, operation in described(document):
            declared = [each for each in operation["parameters"] if each["in"] == "path"]
            assert {each["name"] for each in declared} == set(re.findall(r"{(\w+)}", path)), (method, path)
            assert all(each["required"] for each in declared)
            places = [(each["name"], each["in"]) for each in operation["parameters"]]
            assert len(places) == len(set(places))


class TestCompleteness:
    @pytest.mark.parametrize("function", functions.FUNCTIONS, ids=lambda function: function.name)
    def test_every_method_of_the_table_has_a_handler(self, function: Function) -> None:
        assert set(operations.of_module(import_function(function))) == set(function.methods)

    def test_it_describes_every_route_and_method_and_no_other(self, document: dict[str, Any]) -> None:
        table = {(path, method.lower()) for each in SERVED for path in each.paths for method in each.methods}
        assert {(path, method) for path, method, _ in described(document)} == table

    def test_every_operation_says_what_it_answers_when_it_refuses(self, document: dict[str, Any]) -> None:
        for path, method, operation in described(document):
            refusals = {status: each for status, each in operation["responses"].items() if int(status) >= 400}
            assert {"500", "503"} <= set(refusals), (method, path)
            for each in refusals.values():
                assert each["content"] == {
                    "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
                }
            assert len(operation["responses"]) > len(refusals), "no success is declared"

    def test_who_may_ask_is_the_tables_rule(self, document: dict[str, Any]) -> None:
        for function in SERVED:
            for path in function.paths:
                for operation in document["paths"][path].values():
                    security = operation["security"]
                    open_to_all = security == [] or {} in security
                    assert open_to_all == (function.auth in ("public", "optional")), path
                    assert ("401" in operation["responses"]) == (function.auth != "public"), path

    def test_a_subset_describes_itself_only(self) -> None:
        table = [each for each in functions.FUNCTIONS if each.name in ("health", "sessions", "home")]
        found = openapi.document(table, "https://field.example")
        assert set(found["paths"]) == {"/health", "/api/sessions"}
        assert found["servers"] == [{"url": "https://field.example"}]
        assert "ImageShape" not in found["components"]["schemas"]

    def test_a_function_that_cannot_be_loaded_is_left_out(self, caplog: pytest.LogCaptureFixture) -> None:
        broken = Function("broken", "functions.no_such_module", ("/broken",))
        found = openapi.document([broken, *functions.FUNCTIONS[:1]])
        assert set(found["paths"]) == {"/health"}


Ask = Callable[..., Any]


@pytest.fixture
def ask(document: dict[str, Any], sqlite_url: str, tmp_path: Path) -> Ask:
    """Sends a request and checks the reply against the document; `template` is the path as the document has it."""
    secret, digest, prefix = keys.new_key()
    store = DatabaseStore(sqlite_url)
    store.create_user("grower", "grower@example.org", digest, prefix, ("read", "write"))
    store.close()
    settings = load(
        {"DATABASE_URL": sqlite_url, "SECRET_KEY": "a secret that is only for tests, 32+",
         "DATA_DIR": str(tmp_path / "data"), "OUTPUT_DIR": str(tmp_path / "output"), "LOG_LEVEL": "ERROR"}
    )  # fmt: skip
    client: FlaskClient = functions.create_app(settings).test_client()

    def send(method: str, template: str, path: str = "", key: bool = True, **options: Any) -> Any:
        headers = {"X-API-Key": secret} if key else {}
        reply = client.open(path or template, method=method, headers=headers, **options)
        declared = document["paths"][template][method.lower()]["responses"]
        assert str(reply.status_code) in declared, (method, path or template, reply.status_code, reply.text)
        content = declared[str(reply.status_code)].get("content")
        if content is None:
            assert reply.data == b""
            return None
        (media_type,) = content
        assert reply.mimetype == media_type
        if not media_type.endswith("json"):
            return reply.data
        assert check(document, content[media_type]["schema"], reply.json) == []
        return reply.json

    return send


@pytest.fixture(autouse=True)
def logging_of_its_own() -> Iterator[None]:
    """create_app sets the root logger up; afterwards it is as it was."""
    import logging

    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    yield
    root.handlers[:], root.level = before


class TestTruth:
    @pytest.mark.parametrize(
        "path",
        [
            "/health",
            "/ready",
            "/metrics",
            "/openapi.json",
            "/api/status",
            "/api/time-series",
            "/api/trend",
            "/api/species-dashboard",
            "/api/dashboard/species",
            "/api/images",
            "/api/sessions",
            "/api/keys",
        ],
    )
    def test_reads_answer_what_is_declared(self, ask: Ask, path: str) -> None:
        assert ask("GET", path) is not None
        ask("GET", path, key=False)

    def test_the_sample_season_has_the_declared_shapes(self, ask: Ask) -> None:
        for metric in ("shannon_diversity", "chao1_estimate", "total_images"):
            found = ask("GET", "/api/calendar/{metric}", f"/api/calendar/{metric}", key=False)
            assert found["total_days"] == len(found["data"]) > 50
        day = next(iter(found["data"]))
        assert ask("GET", "/api/daily/{date}", f"/api/daily/{day}", key=False)["sample"] is True
        series = ask("GET", "/api/time-series", "/api/time-series?metrics=hill_q0,hill_q1,hill_q2", key=False)
        assert len(series["dates"]) > 50
        assert ask("GET", "/api/species-dashboard", key=False)["total_species"] > 10
        assert ask("GET", "/api/trend", "/api/trend?metric=hill_q1", key=False)["slope"]
        assert ask("GET", "/api/compare", "/api/compare?a=2024&b=2025", key=False)["standardised"]
        assert ask("GET", "/api/compare", "/api/compare?a=2024&b=2025")["standardised"] is None

    def test_a_session_from_beginning_to_end(self, ask: Ask) -> None:
        made = ask(
            "POST",
            "/api/sessions",
            json={"session_name": "North field", "latitude": 43.1, "longitude": 141.4},
        )
        path = f"/api/sessions/{made['id']}"
        assert ask("GET", "/api/sessions/{id}", path) == made
        changed = ask(
            "PATCH",
            "/api/sessions/{id}",
            path,
            json={"description": "sandy", "latitude": None, "longitude": None},
        )
        assert (changed["description"], changed["latitude"]) == ("sandy", None)
        ask("DELETE", "/api/sessions/{id}", path)
        assert ask("GET", "/api/sessions/{id}", path)["status"] == 404

    def test_a_key_from_beginning_to_end(self, ask: Ask) -> None:
        made = ask("POST", "/api/keys", json={"name": "phone", "scopes": ["read"]})
        assert made["secret"] not in str(ask("GET", "/api/keys"))
        ask("DELETE", "/api/keys/{id}", f"/api/keys/{made['id']}")
        assert ask("DELETE", "/api/keys", f"/api/keys?id={made['id']}")["status"] == 404

    @pytest.mark.parametrize(
        ("method", "template", "path"),
        [
            ("GET", "/api/calendar/{metric}", "/api/calendar/beauty"),
            ("GET", "/api/calendar/{metric}", "/api/calendar/hill_q0?year=1"),
            ("GET", "/api/calendar/{metric}", "/api/calendar/hill_q0?session=99"),
            ("GET", "/api/time-series", "/api/time-series?session=99"),
            ("GET", "/api/time-series", "/api/time-series?metrics=beauty"),
            ("GET", "/api/time-series", "/api/time-series?start_date=2025-02-30"),
            ("GET", "/api/compare", "/api/compare"),
            ("GET", "/api/compare", "/api/compare?a=2024&b=99"),
            ("GET", "/api/compare", "/api/compare?a=2025&b=2025"),
            ("GET", "/api/trend", "/api/trend?session=99"),
            ("GET", "/api/trend", "/api/trend?metric=beauty"),
            ("GET", "/api/species-dashboard", "/api/species-dashboard?session=99"),
            (
                "GET",
                "/api/species-dashboard",
                "/api/species-dashboard?start_date=2025-02-02&end_date=2025-01-01",
            ),
            ("GET", "/api/daily/{date}", "/api/daily/yesterday"),
            ("GET", "/api/daily/{date}", "/api/daily/1999-01-01"),
            ("GET", "/api/images", "/api/images?cursor=x"),
            ("GET", "/api/images", "/api/images?session=99"),
            ("GET", "/api/images/{id}", "/api/images/99"),
            ("PATCH", "/api/images/{id}", "/api/images/99"),
            ("DELETE", "/api/images/{id}", "/api/images/99"),
            ("GET", "/api/images/{id}/file", "/api/images/99/file"),
            ("GET", "/api/images/{id}/file", "/api/images/99/file?width=0"),
            ("POST", "/api/upload", ""),
            ("POST", "/api/sessions", ""),
            ("POST", "/api/keys", ""),
            ("DELETE", "/api/keys", ""),
            ("GET", "/static/{name}", "/static/nothing"),
        ],
    )
    def test_refusals_are_declared_problems(self, ask: Ask, method: str, template: str, path: str) -> None:
        assert ask(method, template, path)["status"] >= 400
