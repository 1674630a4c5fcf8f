"""The units that renew the kubeconfig call a command that exists, with options that it has."""

from __future__ import annotations

import configparser
from pathlib import Path

from haproxy_edge.__main__ import _parser

FOLDER = Path(__file__).parents[3] / "deploy/systemd"


def unit(name: str) -> configparser.ConfigParser:
    parsed = configparser.ConfigParser(interpolation=None, strict=True)
    parsed.optionxform = str  # type: ignore[assignment,method-assign]
    parsed.read_string((FOLDER / name).read_text())
    return parsed


def test_the_service_renews_the_kubeconfig_with_its_own_rights():
    service = unit("haproxy-edge-kubeconfig.service")["Service"]
    _, module, name, *arguments = service["ExecStart"].split()
    asked = _parser().parse_args(arguments)
    assert (module, name) == ("-m", "haproxy_edge")
    assert str(asked.file) == asked.admin
    assert str(asked.file.parent) in service["ReadWritePaths"].split()


def test_the_timer_comes_often_enough_for_some_failures():
    assert unit("haproxy-edge-kubeconfig.timer")["Timer"]["OnCalendar"] == "daily"
    *_, hours = unit("haproxy-edge-kubeconfig.service")["Service"]["ExecStart"].split()
    assert int(hours) >= 3 * 24
    assert (FOLDER / "haproxy-edge-kubeconfig.timer").with_suffix(".service").is_file()
