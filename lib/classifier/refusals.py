"""The ways in which the classifier says no."""

from __future__ import annotations

from lib.problems import Problem

# Seconds after which asking again makes sense: as often the server itself looks for photos that wait.
MODEL_RETRY = 60


class ModelUnavailable(Problem):
    """The model folder is missing, incomplete or not what its digests say; `reason` is one plain sentence."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            503,
            "Model unavailable",
            f"No photo can be classified: {reason}",
            kind="model-unavailable",
            headers={"Retry-After": str(MODEL_RETRY)},
        )
        self.reason = reason
        self.retry_after = MODEL_RETRY


class Busy(Problem):
    """Too many photos wait for the model already; `retry_after` is in seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(
            503,
            "Classifier busy",
            f"Other photos are being classified. Try again in {retry_after} s.",
            kind="classifier-busy",
            headers={"Retry-After": str(retry_after)},
        )
        self.retry_after = retry_after


class Abandoned(Exception):
    """Whoever waited for the answer is gone; the model was not asked."""
