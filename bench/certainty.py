"""How sure a measured value is: the interval around a median, and a slope over time with its margin. Pure.

A figure from a noisy machine must never look surer than it is: samples that follow each other closely count as fewer.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

# of a normal distribution, so that 95 % lie within as many standard errors
_ERRORS = 1.96
_TAIL = 0.025


@dataclass(frozen=True)
class Slope:
    """``per_hour`` ± ``margin`` holds the true one with 95 %."""

    per_hour: float
    margin: float

    @property
    def most(self) -> float:
        """The upper end of the interval."""
        return self.per_hour + self.margin


def slope(points: Sequence[tuple[float, float]]) -> Slope:
    """Least squares over (seconds, value). Raises ``ValueError`` on less than three moments.

    What is left over at one moment tells much of the next, as memory grows in steps: so many samples are worth
    fewer, by the correlation of neighbours.
    """
    times, values = zip(*points, strict=True) if points else ((), ())
    if len(set(times)) < 3:
        raise ValueError(f"a slope needs three moments, not {len(set(times))}")
    fit = statistics.linear_regression(times, values)
    left = [value - fit.intercept - fit.slope * time for time, value in points]
    middle = statistics.fmean(times)
    spread = math.sqrt(sum((time - middle) ** 2 for time in times))
    error = math.sqrt(sum(one**2 for one in left) / (len(left) - 2)) / spread
    alike = _correlation_of_neighbours(left)
    margin = _ERRORS * error * math.sqrt((1 + alike) / (1 - alike))
    return Slope(fit.slope * 3600, margin * 3600)


def _correlation_of_neighbours(values: Sequence[float]) -> float:
    """0 where they know nothing of each other; never quite 1, nor below 0, which would make it look surer."""
    square = sum(value**2 for value in values)
    if square == 0:
        return 0.0
    return min(0.99, max(0.0, sum(one * other for one, other in pairwise(values)) / square))


def median_interval(values: Sequence[float]) -> tuple[float, float]:
    """An interval that holds the true median with at least 95 %, whatever the distribution.

    Of less than six values it is from the smallest to the largest, and less sure. Raises ``ValueError`` without any.
    """
    if not values:
        raise ValueError("no values, no median")
    ordered, count = sorted(values), len(values)
    below, rank = 0.0, 0
    # that so few values lie below the median is so many heads of a coin: seldom enough to be left out
    while rank < count // 2:
        below += math.comb(count, rank) / 2**count
        if below > _TAIL:
            break
        rank += 1
    first = max(0, rank - 1)
    return ordered[first], ordered[count - 1 - first]
