"""The chart of a calibration, drawn by templates/chart.html: how sure a model was, and how often it was right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lib.classifier.figures import wilson
from lib.web.axes import BOTTOM, LEFT, RIGHT, TOP, WIDTH, Frame, Tick
from lib.web.chart import Dot, LineChart, Segment

if TYPE_CHECKING:
    from lib.answers import Calibration, ReliabilityBin
    from lib.web.words import Words

HEIGHT = 230  # taller than a series over time: both axes run from 0 to 100%
STEPS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
FEW = 5  # plants, below which a dot is hollow: one more answer moves it by a fifth of the scale or more


def reliability_chart(calibration: Calibration, say: Words) -> LineChart:
    """A dot for each bin with answers, at its mean confidence, with its interval; the line where both agree."""
    box = _frame(say)
    bins = [each for each in calibration.bins if each.n]
    dots = [(each, _dot(each, box, say)) for each in bins]
    return LineChart(
        frame=box,
        lines=[],
        bands=[],
        whiskers=[_whisker(each, dot.x, box) for each, dot in dots],
        dots=[dot for each, dot in dots if each.n >= FEW],
        hollow=[dot for each, dot in dots if each.n < FEW],
        undefined=[],
        trend=Segment(box.left, box.y(0.0), box.right, box.y(1.0)),
        gaps=0,
        cut=False,
    )


def right_in(each: ReliabilityBin) -> int:
    """How many of a bin's answers were right."""
    return round((each.right or 0.0) * each.n)


def _frame(say: Words) -> Frame:
    box = Frame(WIDTH, HEIGHT, LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM, 0.0, 1.0, [], [], [])
    box.y_ticks.extend(Tick(box.y(step), say.percent(step), "end") for step in STEPS)
    box.x_ticks.extend(
        Tick(_x(step, box), say.percent(step), "end" if step == 1.0 else "middle") for step in STEPS
    )
    box.years.append(Tick(round((box.left + box.right) / 2, 1), say.gettext("how sure it was")))
    return box


def _x(share: float, box: Frame) -> float:
    return round(box.left + share * (box.right - box.left), 1)


def _dot(each: ReliabilityBin, box: Frame, say: Words) -> Dot:
    label = say.gettext(
        "%(low)s to %(high)s sure: right for %(right)s of %(plants)s",
        low=say.percent(each.low),
        high=say.percent(each.high),
        right=say.number(right_in(each)),
        plants=say.plants(each.n),
    )
    return Dot(_x(each.confidence or 0.0, box), box.y(each.right or 0.0), label)


def _whisker(each: ReliabilityBin, x: float, box: Frame) -> Segment:
    low, high = wilson(right_in(each), each.n)
    return Segment(x, box.y(low), x, box.y(high))
