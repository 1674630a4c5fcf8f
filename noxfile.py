"""The support matrix: unit and functional tests on each Salt and each Python that this machine has; ``make matrix``.

``docs/support.md`` is written from what ran, never by hand: what did not run is not claimed. An environment holds the
wheel, so what is tested is what is installed, with Salt from the index and no editable checkout.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import time
from pathlib import Path

import nox

ROOT = Path(__file__).parent
PAGE = ROOT / "docs/support.md"
SALTS = ("3006", "3008")
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
TESTS = ("tests/unit", "tests/functional")
# about the checkout and the lab, not about Salt or Python
LEFT_OUT = ("tests/unit/docs", "tests/functional/install", "tests/functional/lab")
_WANTED = ("pytest", "pytest-timeout", "hypothesis", "cryptography")
_RESULTS = ".nox/results"
_TABLE = re.compile(r"(?<=<!-- what ran -->\n).*?(?=<!-- end of what ran -->)", re.DOTALL)

nox.options.sessions = ["matrix", "page"]
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = False


def _bring_in_pyenv() -> None:
    """Its interpreters are on the path only by shims, which answer for one version."""
    for version in PYTHONS:
        for folder in sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin")):
            os.environ["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"


_bring_in_pyenv()


@nox.session(python=[version for version in PYTHONS if shutil.which(f"python{version}")])
@nox.parametrize("salt", SALTS)
def matrix(session: nox.Session, salt: str) -> None:
    """Unit and functional tests; the result is kept whether or not they pass."""
    began = time.monotonic()
    result = {"salt": salt, "python": "", "installed": "", "passed": 0, "failed": [], "trouble": ""}
    try:
        session.install(f"salt>={salt},<{int(salt) + 1}", *_WANTED, str(ROOT), silent=True)
        asked = "import platform, salt.version as v; print(platform.python_version(), v.__version__)"
        result["python"], result["installed"] = str(session.run("python", "-c", asked, silent=True)).split()[-2:]
        _test(session, result)
    except nox.command.CommandFailed as error:
        result["trouble"] = f"cannot be installed: {error.reason}"
    result["seconds"] = round(time.monotonic() - began)
    (_results() / f"{session.python}-{salt}.json").write_text(json.dumps(result))
    if result["failed"] or result["trouble"]:
        session.error(result["trouble"] or f"{len(result['failed'])} failed: {', '.join(result['failed'][:3])}")


def _test(session: nox.Session, result: dict) -> None:
    # not in the session's own folder for such: its path is too long for the sockets of the tests
    report = _results() / f"{session.python}-{result['salt']}.xml"
    left_out = [f"--ignore-glob={ROOT / path}" for path in LEFT_OUT]
    # the package under test is the installed one, so the checkout's engine is not on the path
    path = ["-o", "pythonpath=salt/states/_utils ."]
    command = ["python", "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *path, *left_out]
    session.run(*command, *session.posargs, *TESTS, success_codes=range(6), silent=True)
    text = report.read_text()
    cases = re.findall(r'<testcase classname="([^"]*)" name="([^"]*)"[^>]*?(/>|>(?:.*?)</testcase>)', text, re.DOTALL)
    result["failed"] = [f"{place}.{name}" for place, name, inside in cases if re.search("<(failure|error)", inside)]
    result["passed"] = sum(not re.search("<(failure|error|skipped)", inside) for _, _, inside in cases)


def _results() -> Path:
    folder = ROOT / _RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@nox.session(python=False)
def page(session: nox.Session) -> None:
    """Write what ran into the page, and the figures as one line of JSON."""
    results = [json.loads(path.read_text()) for path in sorted(_results().glob("*.json"))]
    results.sort(key=lambda result: (result["salt"], [int(part) for part in result["python"].split(".") if part]))
    PAGE.write_text(_TABLE.sub(_rows(results), PAGE.read_text()))
    good = [result for result in results if result["passed"] and not result["failed"]]
    figure = {"name": "Salt and Python together, all tests passed", "goal": f"== {len(results)}", "unit": "pairs"}
    met = bool(results) and len(good) == len(results)
    session.log(json.dumps({"figures": [{**figure, "measured": len(good), "met": met}]}))
    if not met:
        session.error(f"{len(results) - len(good)} of {len(results)} pairs did not pass")


def _rows(results: list[dict]) -> str:
    system = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    head = ["| Salt | Python | tests passed | failed | on |", "|---|---|---|---|---|"]
    rows = [
        f"| {result['installed'] or result['salt']} | {result['python']} | {result['passed']} "
        f"| {len(result['failed']) or result['trouble'] or ''} | {system} |"
        for result in results
    ]
    return "\n".join([*head, *rows, ""])
