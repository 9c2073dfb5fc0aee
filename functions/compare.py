"""GET /api/compare: two sessions or two periods against each other."""

from __future__ import annotations

from typing import Annotated

import msgspec

from lib import side_by_side, sides
from lib.dispatcher import Call
from lib.operations import operation
from lib.problems import FieldError, invalid, malformed
from lib.scope import Identifier, MetricName
from lib.side_by_side import Comparison
from lib.sides import Side
from lib.store.records import METRICS

SideText = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=40,
        description=f"What to compare: {sides.FORMS}.",
        examples=["2025-06-01..2025-06-30", "2025", "session:12"],
        extra_json_schema={"pattern": sides.PATTERN},
    ),
]


class Query(msgspec.Struct):
    """`session` restricts periods to one session; `metric` is that of the daily values."""

    a: SideText
    b: SideText
    session: Identifier | None = None
    metric: MetricName = "shannon_diversity"


@operation("Two sessions or periods compared", problems=(404, 422))
def get(call: Call, query: Query) -> Comparison:
    a, b = _sides(query)
    asked = {"session": query.session}
    asked |= {name: side.session for name, side in (("a", a), ("b", b)) if side.is_session}
    names = side_by_side.session_names(call.store, asked)
    try:
        return side_by_side.build(call.store, a, b, query.metric, names)
    except side_by_side.SharedDays as shared:
        reason = "shares days with a; what is compared must lie apart"
        if shared.days:
            reason = (
                f"shares {len(shared.days)} surveyed days with a, the first {shared.days[0]}; restrict it "
                "with session"
            )
        raise invalid([{"field": "b", "reason": reason}]) from None


def _sides(query: Query) -> tuple[Side, Side]:
    """Both sides as they are written; 400 naming every parameter that cannot be read."""
    errors: list[FieldError] = []
    found = []
    for name, text in (("a", query.a), ("b", query.b)):
        try:
            side = sides.parse(text)
        except ValueError as error:
            errors.append({"field": name, "reason": str(error)})
            continue
        found.append(side if side.is_session else Side(query.session, side.start, side.end))
    if query.metric not in METRICS:
        errors.append({"field": "metric", "reason": f"must be one of: {', '.join(METRICS)}"})
    if errors:
        raise malformed(errors)
    return found[0], found[1]
