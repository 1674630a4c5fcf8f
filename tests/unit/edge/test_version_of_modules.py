"""The digest an edge compares must be that of the modules it would get, and comes when it has them all."""

from tools.modules_digest import STATES, VERSION, digest


def test_the_digest_is_that_of_the_modules() -> None:
    assert f'MODULES = "{digest()}"' in VERSION.read_text(), "run: make generated"


def test_the_digest_is_copied_last_by_salt_which_sorts_paths_and_by_the_state_which_syncs_utils_last() -> None:
    assert max(map(str, STATES.glob("_utils/**/*.py"))) == str(VERSION)
    synced = [line for line in (STATES / "haproxy/init.sls").read_text().splitlines() if "saltutil.sync_" in line]
    assert "sync_utils" in synced[-1]
