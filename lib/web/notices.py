"""What a form has done, said on the page that it leads to: its address carries the key, as `?done=`."""

from __future__ import annotations

from lib.web.words import N_

NOTICES = {
    "signed-out": N_("You are signed out."),
    "session-made": N_("The session is made."),
    "session-saved": N_("The session is saved."),
    "session-deleted": N_("The session is deleted, with its photos and days."),
    "session-gone": N_("This session is not there any more."),
    "photo-confirmed": N_("The name is confirmed."),
    "photo-named": N_("The photo has its new name."),
    "photo-not-a-plant": N_("The photo counts as no plant."),
    "photo-unknown": N_("The photo counts as a plant that nobody can name."),
    "photo-undone": N_("The last change of the name is undone."),
    "photo-moved": N_("The photo is on its new day."),
    "photo-deleted": N_("The photo is deleted."),
    "photo-gone": N_("This photo is not there any more."),
    "review-confirmed": N_("Confirmed."),
    "review-named": N_("The new name is saved."),
    "review-not-a-plant": N_("Saved as no plant."),
    "review-unknown": N_("Saved as a plant that nobody can name."),
    "review-undone": N_("Undone: here it is again."),
    "key-revoked": N_("The key is revoked: it opens nothing any more."),
    "own-key-revoked": N_("The key of this browser is revoked, so you are signed out."),
}
