"""DELETE /api/keys/{id}: revoke one key."""

from __future__ import annotations

from datetime import UTC, datetime

from lib.dispatcher import Call
from lib.operations import operation
from lib.problems import not_found
from lib.scope import IdPath


@operation("Revoke a key, at once and for good", status=204)
def delete(call: Call, path: IdPath) -> None:
    if not call.services.database.revoke_key(call.mine.user_id, path.id, datetime.now(UTC)):
        raise not_found("There is no key with this number.")
