"""Which worker takes connections after a reload; that a reload waits for it is proven in tests/unit/edge."""

from haproxy_edge_minion.listening import listens

from tests.functional.edge.backend import connect, goes_on, name_answered, of


def test_the_old_worker_that_let_go_is_told_from_the_new_one_and_keeps_its_connection(rig, pods):
    rig.apply(of(pods[0]))
    old = rig.worker()
    with connect(rig) as held:
        name_answered(held)
        rig.apply(of(pods[0]), haproxy={**rig.haproxy, "check": {"fall": 5}})
        assert rig.worker() != old
        assert (listens(old), listens(rig.worker())) == (False, True)
        assert goes_on(held)
