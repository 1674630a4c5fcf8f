"""The demo's figures: each is of what it is named after."""

import pytest

from lab.demo import Story


@pytest.mark.parametrize(
    ("before", "built", "named"),
    [
        pytest.param(1.0, False, ["demo, run with images at hand"], id="nothing to install"),
        pytest.param(70.0, False, [], id="installed, images at hand"),
        pytest.param(70.0, True, ["demo, first run, images built"], id="installed and built"),
    ],
)
def test_a_run_that_had_to_install_first_is_not_measured_as_one_that_had_not(before, built, named):
    result = Story("hot", milliseconds=[300.0]).result(3, 100.0, before=before, built=built)
    assert [one["name"] for one in result["figures"] if one["name"].startswith("demo")] == named
