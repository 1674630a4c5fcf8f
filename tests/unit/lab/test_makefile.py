"""Which Python `.venv` is made with is one thing, which Python the recipes use another: that of `.venv`."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SAID = "said:; @echo $$PYTHON $(VENV_PYTHON)"


@pytest.mark.parametrize(
    "before, behind", [(["PYTHON=python3.12"], []), ([], ["PYTHON=python3.12"])], ids=["environment", "command line"]
)
def test_the_python_to_make_venv_with_reaches_bootstrap_and_no_recipe(before, behind):
    command = ["env", *before, "make", "-s", "-C", str(ROOT), "--eval", SAID, "said", *behind]
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "PYTHON"))
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["python3.12", ".venv/bin/python"]
