"""One string carries an order's snapshots; whatever else it holds is refused whole, naming the field."""

import base64
import json
import zlib

import pytest
from haproxy_edge.payload import COMPRESSED, pack
from haproxy_edge_minion.payload import unpack
from haproxy_edge_minion.snapshot import SnapshotError

from tests.unit.edge.material import server, snapshot


@pytest.mark.parametrize("count", [1, 2000], ids=["as it is", "compressed"])
def test_what_the_master_packs_the_edge_unpacks(count):
    text = snapshot(*[server(f"10.42.{n // 250}.{n % 250}") for n in range(count)])
    packed = pack("order-1", [text])
    assert packed.startswith(COMPRESSED) == (count > 1)
    order, found = unpack(packed)
    assert order == "order-1"
    assert [item.text for item in found] == [text]


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "nonsense",
        "[]",
        "{}",
        '{"order": 1, "snapshots": []}',
        '{"order": "x", "snapshots": {}}',
        '{"order": "x", "snapshots": ["{}"]}',
        '{"order": "x", "snapshots": [1]}',
        "zlib:",
        "zlib:%%%",
        "zlib:" + base64.b64encode(b"not zlib").decode(),
        "zlib:" + base64.b64encode(zlib.compress(b"\xff\xfe")).decode(),
        "zlib:" + base64.b64encode(zlib.compress(b" " * (33 * 1024 * 1024))).decode(),
        None,
        7,
    ],
    ids=lambda payload: str(payload)[:20],
)
def test_anything_else_is_refused_by_name(payload):
    with pytest.raises(SnapshotError):
        unpack(payload)


def test_one_bad_snapshot_refuses_the_whole_order():
    bad = json.loads(snapshot(server()))
    bad["ports"]["websecure"][0]["port"] = 70000
    with pytest.raises(SnapshotError, match=r"ports.websecure\[0\].port"):
        unpack(json.dumps({"order": "x", "snapshots": [snapshot(server()), json.dumps(bad)]}))
