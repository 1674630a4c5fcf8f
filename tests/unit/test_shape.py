"""The figures of the tree's shape are those of the files: checked on a tree small enough to count by hand."""

from __future__ import annotations

import tarfile

import pytest

from tools import shape


@pytest.fixture
def tree(tmp_path):
    master = tmp_path / shape.MASTER
    master.mkdir(parents=True)
    (tmp_path / shape.EDGE).mkdir(parents=True)
    (master / "model.py").write_text('def one():\n    """Says."""\n    a = 1\n    return a\n')
    (master / "store.py").write_text("from haproxy_edge.snapshot import one\n\n\ndef two():\n    return one()\n")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_model.py").write_text("assert True\n" * 7)
    return tmp_path


def test_lines_functions_and_imports_are_counted(tree):
    found = shape.measure(tree)
    assert found["lines of product code"] == 9
    assert found["lines of tests"] == 7
    assert found["functions of the product"] == 2
    assert found["longest file"] == "engine/haproxy_edge/store.py: 5"
    assert found["imports between modules of the master"] == 1


def test_a_docstring_is_no_part_of_a_body(tree):
    assert shape.measure(tree)["body lines, 90th percentile"] == 2


def test_imports_from_one_package_to_another_are_counted_once(tree):
    (tree / "lab").mkdir()
    (tree / "lab/master.py").write_text("from haproxy_edge import model\nfrom haproxy_edge.store import two\n")
    assert shape.measure(tree)["imports between packages"] == 1


class TarOfOldPython:
    def extractall(self, path):
        self.unpacked = path


def test_another_revision_is_unpacked_by_a_python_without_filters_of_tar(tmp_path, monkeypatch):
    monkeypatch.delattr(tarfile, "data_filter", raising=False)
    tar = TarOfOldPython()
    shape._extract(tar, tmp_path)
    assert tar.unpacked == tmp_path
