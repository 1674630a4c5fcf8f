"""What Salt's loader offers of our modules: their own functions, and nothing they import."""

import ast
from pathlib import Path

import pytest
import salt.loader.lazy

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGE = CHECKOUT / "engine/haproxy_edge"


@pytest.mark.parametrize(
    ("folder", "tag", "module"),
    [
        (CHECKOUT / "salt/states/_modules", "module", "haproxy_edge"),
        (CHECKOUT / "salt/states/_states", "states", "haproxy_edge"),
        (PACKAGE / "modules", "module", "haproxy_edge_outbox"),
        (PACKAGE / "runners", "runner", "haproxy_edge"),
        (PACKAGE / "output", "output", "haproxy_edge"),
    ],
    ids=["edge", "states", "outbox", "runner", "output"],
)
def test_salt_offers_the_functions_a_module_defines_and_none_that_it_imports(folder, tag, module, tmp_path):
    opts = {"optimization_order": [0], "extension_modules": str(tmp_path), "cachedir": str(tmp_path)}
    loaded = salt.loader.lazy.LazyLoader([str(folder)], opts, tag=tag)
    offered = {name.partition(".")[2] for name in loaded if name.startswith(f"{module}.")}
    assert offered == _defined(folder / f"{module}.py")


def _defined(path):
    tree = ast.parse(path.read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")}
