"""How a cost grows: a · n^k, by least squares through the logarithms of both.

Pure. k is what is asked for: 0 is no growth, 1 is in proportion, 2 means that twice as many cost four times as much. A
constant part hides growth where n is small, so the last step is told beside the whole.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

Point = tuple[float, float]


@dataclass(frozen=True)
class Fit:
    """y = a · n^k."""

    a: float
    k: float

    def as_json(self) -> dict[str, float]:
        """Rounded to what a measurement can tell."""
        return {name: float(f"{value:.4g}") for name, value in asdict(self).items()}


def fitted(points: Sequence[Point]) -> Fit:
    """Through all of them. Raises ``ValueError`` below two sizes, or on what has no logarithm."""
    if len({n for n, _ in points}) < 2 or any(n <= 0 or y <= 0 for n, y in points):
        raise ValueError(f"no growth can be told from {list(points)}: two sizes at least, and nothing below or at 0")
    logs = [(math.log(n), math.log(y)) for n, y in points]
    x_mean, y_mean = (sum(axis) / len(logs) for axis in zip(*logs, strict=True))
    k = sum((x - x_mean) * (y - y_mean) for x, y in logs) / sum((x - x_mean) ** 2 for x, _ in logs)
    return Fit(a=math.exp(y_mean - k * x_mean), k=k)


def last_step(points: Sequence[Point]) -> float:
    """k between the two greatest sizes alone, where a constant part weighs least."""
    return fitted(sorted(points)[-2:]).k
