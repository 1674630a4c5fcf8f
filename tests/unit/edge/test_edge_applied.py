"""The record of what the configuration file holds outlives every upgrade of the modules."""

import json

from haproxy_edge_minion.applied import Applied

from tests.unit.edge.material import server

# as it stands on edges
RECORD = {
    "skeleton": "0a1b",
    "template": "global\nbackend websecure\n    # haproxy-edge: servers of websecure\n",
    "servers": {"websecure": [list(server().values())]},
    "pillar": {"bind": ":443"},
}


def test_a_record_of_older_modules_is_read_and_written_alike(tmp_path):
    path = tmp_path / "applied.json"
    path.write_text(json.dumps(RECORD))

    found = Applied.load(path)

    assert (found.digest, found.skeleton) == ("0a1b", RECORD["template"])
    assert "server traefik-1:10.42.0.7:8443 10.42.0.7:8443 weight 100" in found.text
    assert json.loads(found.as_json) == RECORD
