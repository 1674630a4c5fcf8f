"""The lab's master has a place of its own for everything it writes."""

from pathlib import Path

import pytest
import salt.config

from lab.master import CHECKOUT, Master

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
