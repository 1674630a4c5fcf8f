"""The lab's commands that only pass on leave every word to the program."""

from __future__ import annotations

import pytest

from lab.__main__ import _parser


@pytest.mark.parametrize("program", ["salt", "salt-run", "kubectl", "client"])
@pytest.mark.parametrize(
    "words", [["-n", "kube-system", "get", "pods"], ["get", "--help"], ["--help"], []], ids=" ".join
)
def test_options_are_the_program_s(program, words):
    assert _parser().parse_args([program, *words]).arguments == words
