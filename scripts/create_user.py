#!/usr/bin/env python
"""Makes a user, or another key for one, and prints the key, once, as the last line: only its digest is kept."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from lib import config, keys
from lib.problems import Problem

NEW_KEY = "from the server"  # told apart from the keys that the user made


def main(arguments: list[str] | None = None) -> int:
    """Exit codes: 0 done, 1 refused, 2 wrong arguments or settings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--username", required=True)
    parser.add_argument("--email", help="required for a new user")
    parser.add_argument(
        "--new-key", action="store_true", help="another key for a user that exists, who lost every other"
    )
    parser.add_argument(
        "--scopes", default=",".join(keys.SCOPES), help="comma-separated (default: %(default)s)"
    )
    parser.add_argument("--database-url", help="instead of the environment's DATABASE_URL")
    options = parser.parse_args(arguments)
    if not options.email and not options.new_key:
        parser.error("a new user needs --email (or is it --new-key for one that exists?)")
    try:
        url = options.database_url or config.load().database_url
    except config.ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    if not url:
        print("DATABASE_URL is not set: file mode has no users.", file=sys.stderr)
        return 2
    from lib.store.database import DatabaseStore

    scopes = [scope.strip() for scope in options.scopes.split(",") if scope.strip()]
    secret, digest, prefix = keys.new_key()
    store = DatabaseStore(url)
    try:
        if options.new_key:
            user = store.user(options.username)
            if user is None:
                print(f"username {options.username!r} is nobody's", file=sys.stderr)
                return 1
            store.add_key(user.id, name=NEW_KEY, digest=digest, prefix=prefix, scopes=scopes)
        else:
            user = store.create_user(options.username, options.email, digest, prefix, scopes)
    except Problem as problem:
        for error in problem.errors or [{"field": "", "reason": problem.detail}]:
            print(f"{error['field']} {error['reason']}".strip(), file=sys.stderr)
        return 1
    finally:
        store.close()
    print(
        f"User {user.username} <{user.email}> may {', '.join(scopes)}. Keep the key; it is not shown again:"
    )
    print(secret)
    return 0


if __name__ == "__main__":
    sys.exit(main())
