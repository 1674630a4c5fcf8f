"""Which faults a lab can have, and what the page says about the lab's own options."""

from __future__ import annotations

from chaos.__main__ import ALL, ENGINE, ChaosLab, possible
from chaos.report import PAGE


def test_a_real_api_server_is_asked_for_no_fault_that_needs_a_switch():
    switched = {fault.name for fault in ALL if fault.switched}
    assert switched >= {"API answers 500", "half-open watch"}
    assert {fault.name for fault in possible(embedded=False)} == {fault.name for fault in ALL} - switched
    assert possible(embedded=True) == list(ALL)


def test_the_page_names_every_option_that_is_another_in_the_lab():
    others = ChaosLab(engine=ENGINE).other_options()
    # seen by nobody in the table, so nothing to be said about
    del others["metrics"]
    text = PAGE.read_text()
    assert [name for name, value in others.items() if f"`{name}: {value}`" not in text] == []
    assert set(ENGINE) <= set(others)
