"""The digest an edge compares must be that of the modules it would get."""

from tools.modules_digest import RELEASE, digest


def test_the_released_digest_is_that_of_the_modules() -> None:
    assert f'MODULES = "{digest()}"' in RELEASE.read_text(), "run: make generated"
