"""GET, POST and DELETE /api/keys: list (never the secret), create, revoke."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec

from lib import credentials, shapes
from lib.credentials import LONGEST_KEY_NAME
from lib.dispatcher import Call
from lib.operations import operation
from lib.scope import Identifier
from lib.shapes import KeyShape

Scope = Literal["read", "write", "jobs"]


class NewKey(msgspec.Struct, forbid_unknown_fields=True):
    """A key may only carry scopes that the key that makes it carries."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_KEY_NAME)] = "key"
    scopes: Annotated[list[Scope], msgspec.Meta(min_length=1, max_length=3)] = msgspec.field(
        default_factory=lambda: ["read", "write"]
    )


class MadeKey(KeyShape, kw_only=True):
    """The only answer that ever holds the secret."""

    secret: str


class Keys(msgspec.Struct):
    keys: list[KeyShape]


class Query(msgspec.Struct):
    """Which key to revoke."""

    id: Identifier


@operation("The user's keys, without their secrets")
def get(call: Call) -> Keys:
    return Keys([shapes.key(record) for record in call.services.database.keys(call.mine.user_id)])


@operation("A new key, shown this once", status=201)
def post(call: Call, body: NewKey) -> MadeKey:
    made, secret = credentials.make(
        call.services.database, call.mine.user_id, call.identity.scopes, body.name, body.scopes
    )
    return MadeKey(**msgspec.structs.asdict(shapes.key(made)), secret=secret)


@operation("Revoke a key, at once and for good", status=204, problems=(404,))
def delete(call: Call, query: Query) -> None:
    credentials.revoke(call.services.database, call.mine.user_id, query.id, datetime.now(UTC))
