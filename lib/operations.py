"""Declarations of a function's operations: they validate requests, and the OpenAPI is made of them."""

from __future__ import annotations

import inspect
import math
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lib.problems import FieldError, Problem, malformed

METHODS = ("GET", "POST", "PATCH", "PUT", "DELETE")
JSON = "application/json"
UNKNOWN_NAMED = 20  # unknown fields that a problem names; a body may hold ten thousand
WHOLE_BELOW = 2**63  # what a whole number can be at most
# msgspec (37 ms to import) is needed to validate a request, not to answer /health: it is imported below
# where it is used.


@dataclass(frozen=True, slots=True)
class Operation:
    """What one method of one endpoint takes and answers; types are msgspec Structs or TypedDicts."""

    handler: Callable[..., Any]
    summary: str
    status: int
    media_type: str
    problems: tuple[int, ...]
    path: type | None
    query: type | None
    body: type | None
    form: type | None
    reply: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    bad_path_status: int = 404
    also: tuple[int, ...] = ()


def operation(
    summary: str,
    *,
    status: int = 200,
    media_type: str = JSON,
    problems: tuple[int, ...] = (),
    form: type | None = None,
    headers: Mapping[str, str] | None = None,
    bad_path_status: int = 404,
    also: tuple[int, ...] = (),
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare a handler `get`, `post`, `patch`, `put` or `delete` of a function's module.

    Its parameters `path`, `query` and `body` are declared by their annotations, its reply by the return
    annotation; `form` declares a multipart body, `headers` the request headers it heeds. `also` lists statuses
    besides `status` that come with the same reply, `problems` the statuses of problems besides those that every
    operation of its kind may answer.
    """

    def declare(handler: Callable[..., Any]) -> Callable[..., Any]:
        hints = typing.get_type_hints(handler, include_extras=True)
        wanted = inspect.signature(handler).parameters
        handler.operation = Operation(  # type: ignore[attr-defined]
            handler=handler,
            summary=summary,
            status=status,
            media_type=media_type,
            problems=problems,
            path=hints.get("path") if "path" in wanted else None,
            query=hints.get("query") if "query" in wanted else None,
            body=hints.get("body") if "body" in wanted else None,
            form=form,
            reply=hints.get("return"),
            headers=headers or {},
            bad_path_status=bad_path_status,
            also=also,
        )
        return handler

    return declare


def of_module(module: Any) -> dict[str, Operation]:
    """The operations that a function's module declares, by HTTP method."""
    found = {}
    for method in METHODS:
        declared = getattr(getattr(module, method.lower(), None), "operation", None)
        if isinstance(declared, Operation):
            found[method] = declared
    return found


def read_path(declared: Operation, values: Mapping[str, str]) -> Any:
    """The path parameters; a value that no object can have is 404 (or the declared status)."""
    value, errors = _convert(declared.path, values, strict=False)
    if errors:
        detail = "; ".join(f"{error['field']}: {error['reason']}" for error in errors)
        kind = "not-found" if declared.bad_path_status == 404 else "bad-request"
        raise Problem(declared.bad_path_status, detail=detail, kind=kind, errors=errors)
    return value


def read_query(declared: Operation, values: Mapping[str, list[str]]) -> Any:
    """The query parameters; names that are not declared are ignored, a name given twice is refused."""
    assert declared.query is not None
    return _read_fields(declared.query, values)


def read_form(declared: Operation, values: Mapping[str, list[str]]) -> Any:
    """The fields of a form besides its files; an empty field counts as left out, as in a query."""
    assert declared.form is not None
    return _read_fields(declared.form, values)


def _read_fields(struct: type, values: Mapping[str, list[str]]) -> Any:
    known = _field_names(struct)
    twice: list[FieldError] = [
        {"field": name, "reason": "given more than once"} for name in known if len(values.get(name, ())) > 1
    ]
    single = {name: given[0] for name, given in values.items() if name in known and given and given[0] != ""}
    value, errors = _convert(struct, single, strict=False)
    if twice or errors:
        raise malformed(twice + errors)
    return value


def read_body(declared: Operation, content_type: str, data: bytes) -> Any:
    """The JSON body; 415 for another media type, 400 naming every field that is wrong or unknown."""
    import msgspec

    essence = content_type.split(";")[0].strip().lower()
    if essence != JSON and not essence.endswith("+json"):
        raise Problem(
            415, detail="Send JSON, with the header Content-Type: application/json.", headers={"Accept": JSON}
        )
    try:
        values = msgspec.json.Decoder(float_hook=_number).decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise malformed([{"field": "body", "reason": "is not valid JSON"}]) from None
    if not isinstance(values, dict):
        raise malformed([{"field": "body", "reason": "must be a JSON object"}])
    assert declared.body is not None
    known = _field_names(declared.body)
    unknown: list[FieldError] = [
        {"field": str(name)[:100], "reason": f"unknown field; known: {', '.join(known)}"}
        for name in [name for name in values if name not in known][:UNKNOWN_NAMED]
    ]
    value, errors = _convert(declared.body, values, strict=True)
    if unknown or errors:
        raise malformed(unknown + errors)
    return value


def encode(reply: Any) -> bytes:
    """JSON of a reply: a Struct, or anything that JSON can hold. Never NaN: msgspec writes null for it."""
    if isinstance(reply, dict) and all(isinstance(value, str) for value in reply.values()):
        import json  # keeps the liveness probe free of msgspec

        return json.dumps(reply).encode()
    import msgspec

    return msgspec.json.encode(reply)


def _field_names(struct: type) -> list[str]:
    import msgspec

    return [info.encode_name for info in msgspec.structs.fields(struct)]


def _convert(struct: type | None, values: Mapping[str, Any], *, strict: bool) -> tuple[Any, list[FieldError]]:
    """Field by field, so that every bad field is named, not only the first."""
    import msgspec

    assert struct is not None
    errors: list[FieldError] = []
    converted: dict[str, Any] = {}
    for info in msgspec.structs.fields(struct):
        name = info.encode_name
        if name not in values:
            if info.required:
                errors.append({"field": name, "reason": "is required"})
            continue
        value = values[name]
        if isinstance(value, str) and "\x00" in value:
            errors.append({"field": name, "reason": "holds a NUL character"})
            continue
        try:
            kind = info.type if strict else _without_none(info.type)
            converted[info.name] = msgspec.convert(value, kind, strict=strict)
        except msgspec.ValidationError as error:
            errors.append({"field": name, "reason": _plain(str(error))})
    if errors:
        return None, errors
    return struct(**converted), []


def _number(text: str) -> float:
    """A number with a point or an exponent; 36.0 is a whole one, in JSON Schema as in a spreadsheet's export."""
    import msgspec

    value = float(text)
    if not math.isfinite(value):
        raise msgspec.DecodeError("Number out of range")
    return int(value) if value.is_integer() and abs(value) < WHOLE_BELOW else value


def _without_none(kind: Any) -> Any:
    """The type of a value in an address or a form, where `null` is a word like any other: it names no absence."""
    if typing.get_origin(kind) not in (typing.Union, types.UnionType):
        return kind
    return typing.Union[tuple(each for each in typing.get_args(kind) if each is not type(None))]  # noqa: UP007


def _plain(message: str) -> str:
    """msgspec's message without its markup."""
    return message.split(" - at ")[0].replace("`", "")
