"""k tells growth in proportion from worse, whatever the unit."""

from __future__ import annotations

import pytest

from bench.fit import fitted, last_step

SIZES = (3, 10, 100, 1000, 10_000)


@pytest.mark.parametrize(("a", "k"), [(2.0, 1.0), (0.01, 2.0), (500.0, 0.0), (7.0, 1.1)])
def test_a_power_law_is_found_again(a, k):
    fit = fitted([(n, a * n**k) for n in SIZES])
    assert (fit.a, fit.k) == pytest.approx((a, k))
    assert fit.as_json() == pytest.approx({"a": a, "k": k}, abs=1e-9)


def test_noise_in_one_point_does_not_decide():
    points = [(n, 2.0 * n * (1.3 if n == 100 else 1.0)) for n in SIZES]
    assert fitted(points).k == pytest.approx(1.0, abs=0.02)


def test_the_last_step_shows_what_a_constant_part_hides():
    points = [(n, 100.0 + 0.0001 * n**2) for n in SIZES]
    assert fitted(points).k < 0.6
    assert last_step(points) == pytest.approx(1.7, abs=0.1)


@pytest.mark.parametrize("points", [[], [(3, 1.0)], [(3, 1.0), (3, 2.0)], [(0, 1.0), (3, 2.0)], [(1, 0.0), (3, 2.0)]])
def test_what_has_no_growth_is_refused(points):
    with pytest.raises(ValueError, match="no growth can be told"):
        fitted(points)
