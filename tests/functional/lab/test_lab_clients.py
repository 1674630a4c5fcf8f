"""The lab's clients and pods: they have to tell the truth, or no end-to-end test does."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import struct
import subprocess
import sys
import time

import pytest

from lab.master import CHECKOUT
from lab.processes import wait_for
from lab.proxy_protocol import SIGNATURE

# a loopback address that nothing else here has
HOST, PORT = "127.0.0.97", 9000
HEADER = SIGNATURE + struct.pack("!BBH4s4sHH", 0x21, 0x11, 12, bytes([192, 0, 2, 7]), bytes([10, 0, 0, 1]), 40312, 443)
LOCAL = SIGNATURE + struct.pack("!BBH", 0x20, 0x00, 0)


@pytest.fixture
def backend(tmp_path):
    log = tmp_path / "log"
    process = subprocess.Popen([sys.executable, "-m", "lab.pod_backend", "app-1", HOST, str(log)], cwd=CHECKOUT)
    wait_for(_accepts, 60, "the backend")
    yield process, log
    process.kill()
    process.wait(60)


def _accepts():
    with contextlib.suppress(OSError):
        socket.create_connection((HOST, PORT), timeout=1).close()
        return True
    return False


def _talk(data):
    connection = socket.create_connection((HOST, PORT), timeout=60)
    connection.sendall(data)
    return connection


def test_a_pod_tells_its_name_and_the_client_of_the_header_and_echoes_what_follows(backend):
    with _talk(HEADER[:20]) as connection:
        connection.sendall(HEADER[20:] + b"hello\n")
        answer = connection.makefile()
        assert answer.readline() == "app-1 192.0.2.7 40312 v2\n"
        assert answer.readline() == "hello\n"
    assert "v2 192.0.2.7 40312" in backend[1].read_text().splitlines()


def test_a_pod_that_was_told_to_end_takes_no_new_connection_and_lets_open_ones_go_on(backend):
    process, _ = backend
    with _talk(HEADER) as connection:
        answer = connection.makefile()
        answer.readline()
        process.send_signal(signal.SIGUSR1)
        wait_for(lambda: not _accepts(), 60, "the backend to refuse")
        connection.sendall(b"hello\n")
        assert answer.readline() == "hello\n"
        process.send_signal(signal.SIGUSR2)
        wait_for(_accepts, 60, "the backend to accept again")


def test_a_health_check_is_noted_as_such_and_gets_no_answer(backend):
    with _talk(LOCAL) as connection:
        assert connection.recv(100) == b""
    assert "local" in backend[1].read_text().splitlines()[-1]


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n", HEADER[:-4], SIGNATURE + b"\x99\x11\x00\x00"])
def test_what_is_no_header_is_noted_as_bad(backend, data):
    with _talk(data) as connection:
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100) == b""
    assert backend[1].read_text().splitlines()[-1].startswith("bad ")


def test_clients_note_every_refused_connection_and_keep_to_their_rate():
    with socket.socket() as taken:
        taken.bind((HOST, 0))  # bound and not listening: refuses
        place = {"name": "edge1/ipv4", "address": HOST, "port": taken.getsockname()[1], "tls": False}
        order = {"places": [place], "rate": 200, "seconds": 0.5, "authority": None, "streams": 0}
        records = _records(order)
    assert {(name, bool(error)) for name, _, _, _, _, error in records} == {("edge1/ipv4", True)}
    # open-loop and made up for: a busy machine makes them late, not fewer, up to the moment at which it stands still
    seconds = records[-1][1] - records[0][1]
    assert max(2, 200 * seconds - 2) <= len(records) <= 110


def test_a_stream_that_is_cut_is_noted_with_its_end_and_comes_again():
    with socket.create_server((HOST, 0)) as listener:
        place = {"name": "edge1/ipv4", "address": HOST, "port": listener.getsockname()[1], "tls": False}
        order = {"places": [place], "rate": 0.1, "seconds": 60, "authority": None, "streams": 1}
        with subprocess.Popen(_worker(order), stdout=subprocess.PIPE, text=True, cwd=CHECKOUT) as worker:
            first = [_greeted(listener) for _ in range(2)]
            cut = time.monotonic()
            for connection in first:
                connection.close()
            again = _greeted(listener)
            assert again.recv(100) == b"still there\n"
            worker.send_signal(signal.SIGTERM)
            records = [json.loads(line) for line in worker.stdout]
            again.close()
    streams = [record for record in records if record[0].startswith("stream ")]
    assert [(record[3], bool(record[5])) for record in streams] == [("app-1", True), ("app-1", False)]
    assert streams[0][2] >= cut


def _greeted(listener):
    listener.settimeout(60)
    connection, _ = listener.accept()
    connection.sendall(b"app-1 192.0.2.7 40312 v2\n")
    return connection


def _worker(order):
    return [sys.executable, "-m", "lab.traffic_worker", json.dumps(order)]


def _records(order):
    done = subprocess.run(_worker(order), capture_output=True, text=True, cwd=CHECKOUT, timeout=60, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]
