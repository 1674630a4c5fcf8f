"""The lab's master has a place of its own for everything it writes."""

from pathlib import Path

import pytest
import salt.config

from lab import master as lab_master
from lab.master import CHECKOUT, Master, engines_of

WRITTEN = (
    "pki_dir",
    "cachedir",
    "sock_dir",
    "token_dir",
    "syndic_dir",
    "sqlite_queue_dir",
    "extension_modules",
    "pidfile",
    "log_file",
    "key_logfile",
)


@pytest.mark.parametrize("option", WRITTEN)
def test_nothing_is_written_outside_its_folder(option, tmp_path):
    master = Master(CHECKOUT / "pillar.example")
    master.directory = tmp_path / "master"
    master.configure()
    opts = salt.config.master_config(str(master.directory / "etc/master"))
    assert Path(opts[option]).is_relative_to(master.directory)


@pytest.mark.parametrize(
    "title",
    ["/usr/bin/python salt-master Engine(k8s_endpoints)", "/usr/bin/python salt-master ProcessManager Engine"],
    ids=["started", "started again by Salt"],
)
def test_an_engine_is_found_by_its_title(title, monkeypatch):
    titles = {7: "salt-master MainProcess", 8: title, 9: "salt-master EngineRoom", 10: ""}
    monkeypatch.setattr(lab_master, "session", lambda leader: iter(titles))
    monkeypatch.setattr(lab_master, "title", titles.__getitem__)
    assert engines_of(7) == [8]
