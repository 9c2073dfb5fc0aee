"""DELETE /api/keys/{id}: revoke one key."""

from __future__ import annotations

from datetime import UTC, datetime

from lib import credentials
from lib.dispatcher import Call
from lib.operations import operation
from lib.scope import IdPath


@operation("Revoke a key, at once and for good", status=204)
def delete(call: Call, path: IdPath) -> None:
    credentials.revoke(call.services.database, call.mine.user_id, path.id, datetime.now(UTC))
