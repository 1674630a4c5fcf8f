"""What is installed: the wheel of this checkout, built once."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    # else setuptools packs what it copied there before, and with it files that are gone from the checkout
    shutil.rmtree(ROOT / "build", ignore_errors=True)
    built = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(ROOT)]
    subprocess.run(built, check=True, timeout=200, capture_output=True)
    (found,) = folder.glob("*.whl")
    return found
