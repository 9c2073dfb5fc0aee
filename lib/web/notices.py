"""What a form has done, said on the page that it leads to: its address carries the key, as `?done=`."""

from __future__ import annotations

from lib.web.words import N_

NOTICES = {
    "signed-out": N_("You are signed out."),
}
