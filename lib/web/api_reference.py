"""The OpenAPI document arranged for reading: operations by address, with their fields and answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_REFERENCE = "#/components/schemas/"


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter or a member of an object; `refers` names the schema that its type leads to, if any."""

    name: str
    place: str
    type: str
    refers: str | None
    required: bool
    description: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and what it carries."""

    status: str
    description: str
    media_type: str
    type: str
    refers: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One operation."""

    id: str
    method: str
    path: str
    summary: str
    key: str  # never, optional or required
    parameters: list[Field]
    body_type: str
    body: list[Field]
    body_refers: str | None
    answers: list[Answer]


@dataclass(frozen=True, slots=True)
class Schema:
    """A named shape."""

    name: str
    description: str
    fields: list[Field]
    type: str


def entries(document: Mapping[str, Any]) -> list[Entry]:
    """Every operation, in the document's order."""
    return [
        _entry(document, path, method, operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]


def schemas(document: Mapping[str, Any]) -> list[Schema]:
    """Every named shape, by name."""
    return [
        Schema(name, schema.get("description", ""), _members(schema), type_of(schema)[0])
        for name, schema in sorted(document["components"]["schemas"].items())
    ]


def type_of(schema: Mapping[str, Any]) -> tuple[str, str | None]:
    """A schema's type in a few words, and the named schema that it leads to."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(_REFERENCE)
        return name, name
    for several in ("anyOf", "oneOf"):
        if several in schema:
            types = [type_of(each) for each in schema[several]]
            refers = next((reference for _, reference in types if reference), None)
            return " | ".join(dict.fromkeys(name for name, _ in types)), refers
    if "enum" in schema:
        return " | ".join("null" if each is None else str(each) for each in schema["enum"]), None
    kind = schema.get("type", "any")
    if isinstance(kind, list):
        return " | ".join(kind), None
    if kind == "array":
        inner, refers = type_of(schema.get("items") or {})
        return f"array of {inner}", refers
    if kind == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        inner, refers = type_of(schema["additionalProperties"])
        return f"object of {inner}", refers
    return (f"{kind} ({schema['format']})" if "format" in schema else str(kind)), None


def _entry(document: Mapping[str, Any], path: str, method: str, operation: Mapping[str, Any]) -> Entry:
    parameters = [
        _field(each["name"], each["in"], each["schema"], each["required"], each.get("description", ""))
        for each in operation["parameters"]
    ]
    body_type, body, body_refers = "", [], None
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        body_type = media_type
        body_refers = type_of(content["schema"])[1]
        body = _members(_followed(document, content["schema"]))
    security = operation["security"]
    return Entry(
        operation["operationId"],
        method.upper(),
        path,
        operation["summary"],
        "never" if not security else "optional" if {} in security else "required",
        parameters,
        body_type,
        body,
        body_refers,
        [_answer(status, response) for status, response in operation["responses"].items()],
    )


def _answer(status: str, response: Mapping[str, Any]) -> Answer:
    for media_type, content in response.get("content", {}).items():
        name, refers = type_of(content["schema"]) if content["schema"] else ("", None)
        return Answer(status, response["description"], media_type, name, refers)
    return Answer(status, response["description"], "", "", None)


def _followed(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in schema:
        return schema
    found: Mapping[str, Any] = document["components"]["schemas"][schema["$ref"].removeprefix(_REFERENCE)]
    return found


def _members(schema: Mapping[str, Any]) -> list[Field]:
    required = schema.get("required", ())
    return [
        _field(name, "body", member, name in required, member.get("description", ""))
        for name, member in schema.get("properties", {}).items()
    ]


def _field(name: str, place: str, schema: Mapping[str, Any], required: bool, description: str) -> Field:
    kind, refers = type_of(schema)
    return Field(name, place, kind, refers, required, description or schema.get("description", ""))
