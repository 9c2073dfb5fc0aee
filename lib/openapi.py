"""The OpenAPI 3.1 document, made from the declarations that validate requests."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lib import __version__, operations
from lib.problems import MEDIA_TYPE, Problem
from lib.routes import import_function

if TYPE_CHECKING:
    from lib.operations import Operation
    from lib.routes import Function

PHOTO_TYPES = "image/jpeg, image/png, image/webp, image/heic"  # the only files that forms take
REFERENCE = "#/components/schemas/{name}"
PROBLEM_SCHEMA = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457 problem details.",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "reason": {"type": "string"}},
                "required": ["field", "reason"],
            },
        },
    },
    "required": ["type", "title", "status", "detail", "instance", "request_id"],
    "additionalProperties": True,  # the extension members of RFC 9457
}


def document(functions: Sequence[Function], server: str = "/") -> dict[str, Any]:
    """The document of `functions`; one that cannot be imported is left out, as it cannot be called."""
    declared: list[tuple[Function, str, Operation]] = []
    for function in functions:
        if function.page:
            continue
        try:
            module = import_function(function)
        except Problem:
            continue
        found = operations.of_module(module)
        declared += [(function, method, found[method]) for method in function.methods if method in found]
    schemas, components = _schemas([operation for _, _, operation in declared])
    for _, _, operation in declared:
        if operation.form is not None:
            name = _component(schemas[_hashable(operation.form)])
            components[name] = _form(components[name])
    paths: dict[str, Any] = {}
    for function, method, operation in declared:
        for path in function.paths:
            described = _operation(function, method, operation, schemas, components)
            if path != function.paths[0]:
                described["operationId"] += "_" + re.sub(r"\W+", "_", path).strip("_")
            paths.setdefault(path, {})[method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Weed Diversity Analyzer",
            "version": __version__,
            "description": "Photos of weeds in; species, and the season's biodiversity, out.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": server}],
        "paths": paths,
        "components": {
            "schemas": components | {"Problem": PROBLEM_SCHEMA},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


def _schemas(declared: Sequence[Operation]) -> tuple[dict[Any, Any], dict[str, Any]]:
    """The schema of every type named by an operation, and the components they refer to."""
    import msgspec

    types: list[Any] = []
    for operation in declared:
        types += [kind for kind in (operation.body, operation.form) if kind is not None]
        if operation.reply is not None and not _is_response(operation.reply) and operation.status != 204:
            types.append(operation.reply)
        for struct in (operation.path, operation.query):
            if struct is not None:
                types += [info.type for info in msgspec.structs.fields(struct)]
    listed = []
    for kind in types:
        if kind not in listed:
            listed.append(kind)
    found, components = msgspec.json.schema_components(listed, ref_template=REFERENCE)
    return dict(zip(map(_hashable, listed), found, strict=True)), components


def _hashable(kind: Any) -> str:
    return repr(kind)


def _is_response(kind: Any) -> bool:
    return kind is str or getattr(kind, "__name__", "") == "Response"


def _operation(
    function: Function,
    method: str,
    operation: Operation,
    schemas: dict[Any, Any],
    components: dict[str, Any],
) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": f"{method.lower()}_{function.name}",
        "summary": operation.summary,
        "tags": [function.name],
        "parameters": _parameters(operation, schemas),
        "responses": _responses(function, method, operation, schemas),
        "security": _security(function),
    }
    if operation.body is not None:
        schema = schemas[_hashable(operation.body)]
        described["requestBody"] = {"required": True, "content": {operations.JSON: {"schema": schema}}}
    if operation.form is not None:
        reference = schemas[_hashable(operation.form)]
        described["requestBody"] = {
            "required": True,
            "content": {"multipart/form-data": _multipart(reference, components[_component(reference)])},
        }
    return described


def _security(function: Function) -> list[dict[str, list[str]]]:
    keys: list[dict[str, list[str]]] = [{"bearer": []}, {"key": []}]
    if function.auth == "public":
        return []
    return [*keys, {}] if function.auth == "optional" else keys


def _parameters(operation: Operation, schemas: dict[Any, Any]) -> list[dict[str, Any]]:
    import msgspec

    found: list[dict[str, Any]] = []
    for place, struct in (("path", operation.path), ("query", operation.query)):
        if struct is None:
            continue
        for info in msgspec.structs.fields(struct):
            required = place == "path" or info.required
            schema = _as_text(schemas[_hashable(info.type)])
            described = {"name": info.encode_name, "in": place, "required": required, "schema": schema}
            if place == "query" and not required:
                described["allowEmptyValue"] = True  # as a form sends a field that nobody filled in: left out
            found.append(described)
    for name, description in operation.headers.items():
        found.append(
            {
                "name": name,
                "in": "header",
                "required": False,
                "description": description,
                "schema": {"type": "string"},
            }
        )
    return found


def _as_text(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a value in an address or a form, where null cannot be written: it is left out instead."""
    options = [option for option in schema.get("anyOf", ()) if option != {"type": "null"}]
    if not options:
        return schema
    rest = {name: value for name, value in schema.items() if name != "anyOf"}
    return rest | (options[0] if len(options) == 1 else {"anyOf": options})


def _component(reference: dict[str, Any]) -> str:
    return str(reference["$ref"]).rpartition("/")[2]


def _form(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a form as it is sent: its files must be there, its other fields may be empty or left out."""
    properties, required = {}, []
    for name, described in schema["properties"].items():
        text = {key: value for key, value in _as_text(described).items() if key != "default"}
        if _is_file_list(text):
            required.append(name)
            properties[name] = text
        else:
            properties[name] = {"anyOf": [text, {"type": "string", "maxLength": 0}]}
    return schema | {"properties": properties, "required": required}


def _is_file_list(schema: dict[str, Any]) -> bool:
    return "contentMediaType" in schema.get("items", {})


def _multipart(reference: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    files = [name for name, described in schema["properties"].items() if _is_file_list(described)]
    return {"schema": reference, "encoding": {name: {"contentType": PHOTO_TYPES} for name in files}}


def _responses(
    function: Function, method: str, operation: Operation, schemas: dict[Any, Any]
) -> dict[str, Any]:
    success: dict[str, Any] = {"description": "Success"}
    if operation.status != 204:
        schema = {} if _is_response(operation.reply) else schemas[_hashable(operation.reply)]
        success["content"] = {operation.media_type: {"schema": schema}}
    responses: dict[str, Any] = {str(status): success for status in (operation.status, *operation.also)}
    if method == "GET":
        responses["304"] = {"description": "What the client holds is still so."}
    content: dict[str, Any] = {MEDIA_TYPE: {"schema": {"$ref": REFERENCE.format(name="Problem")}}}
    if function.page:
        content["text/html"] = {"schema": {}}  # for browsers, which ask for it by name
    for status in sorted(_problem_statuses(function, method, operation)):
        responses[str(status)] = {"description": Problem(status).title, "content": content}
    return responses


def _problem_statuses(function: Function, method: str, operation: Operation) -> set[int]:
    """The declared statuses, and those that the dispatcher may answer for an operation of this kind."""
    statuses = {*operation.problems, 421, 500, 503}
    if function.auth != "public":
        statuses |= {400, 401, 403, 429}
    if operation.path is not None:
        statuses.add(operation.bad_path_status)
    if operation.query is not None:
        statuses.add(400)
    if operation.body is not None:
        statuses |= {400, 415}
    if method in ("POST", "PATCH", "PUT", "DELETE"):
        statuses |= {408, 413}
    return statuses
