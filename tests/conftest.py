"""What all tests share: their order, what needs root, and that nothing is left out unnoticed.

Unit comes before functional before end to end. What needs root (network namespaces, systemd-nspawn) is skipped
without it and named in the summary; with ``CI=true`` every skip is a failure.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import salt._logging
from hypothesis import settings

from tests.field_failures import MARK, keywords

HERE = Path(__file__).parent
STAGES = ("unit", "functional", "e2e")
IN_CI = os.environ.get("CI", "").lower() in ("1", "true", "yes")
IS_ROOT = os.geteuid() == 0
NEEDS_ROOT = "needs root: network namespaces and systemd-nspawn"


def pytest_configure(config: pytest.Config) -> None:
    # no absolute times: an example that takes long on a busy machine is not a failure
    settings.register_profile("any machine", deadline=None)
    settings.load_profile("any machine")
    # Salt keeps every message until its logging is configured, and prints a hundred thousand of them at the end
    salt._logging.shutdown_temp_handler()
    config.addinivalue_line("markers", "root: needs root and the lab; every test in tests/e2e has it by its place")
    config.addinivalue_line("markers", f"{MARK}(*names): keeps these failures away, see docs/field-failures.md")


def pytest_itemcollected(item: pytest.Item) -> None:
    """A failure of the field is found by its words and by its public issues, too."""
    for mark in item.iter_markers(MARK):
        for name in mark.args:
            item.extra_keyword_matches.update(keywords(name))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: STAGES.index(_stage(item)))
    for item in items:
        if _stage(item) == "e2e":
            item.add_marker(pytest.mark.root)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Edge images are built before the first test, so that no test's time limit includes it."""
    wanted = any(_stage(item) == "e2e" for item in session.items)
    if IS_ROOT and wanted and not session.config.option.collectonly:
        _build_images(session.config)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if _wants_lab(item) and not IS_ROOT:
        pytest.skip(NEEDS_ROOT)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        _fail_in_ci(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    report = yield
    if report.skipped:
        _fail_in_ci(report)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    left_out = len(terminalreporter.getreports("skipped"))
    if left_out:
        terminalreporter.section("left out")
        terminalreporter.line(f"{left_out} tests did not run; the reasons stand below.")
        if not IS_ROOT:
            terminalreporter.line("The end-to-end tests need root: run `make test` as root to have them, too.")


def _stage(item: pytest.Item) -> str:
    inside = item.path.relative_to(HERE).parts[0] if item.path.is_relative_to(HERE) else ""
    return inside if inside in STAGES else STAGES[0]


def _wants_lab(item: pytest.Item) -> bool:
    return item.get_closest_marker("root") is not None


def _fail_in_ci(report: pytest.TestReport | pytest.CollectReport) -> None:
    if IN_CI:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"left out, which is a failure with CI=true: {reason}"


def _build_images(config: pytest.Config) -> None:
    from lab import image

    capture = config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        for release in image.RELEASES:
            image.ensure(release)
