"""The runtime client: every answer parsed, an unknown one is an error that carries it, and nothing waits for ever."""

import socket
import threading

import pytest
from haproxy_edge_minion.commands import Command
from haproxy_edge_minion.leaving import Leaving
from haproxy_edge_minion.runtime import RuntimeApi, RuntimeApiError

HEADER = "# be_id be_name srv_name srv_addr srv_admin_state srv_uweight srv_check_state srv_port"
ANSWERS = {
    "prompt": "",
    "set severity-output number": "",
    "show info": "Name: HAProxy\nPid: 7\n",
    "show env HAPROXY_EDGE_SKELETON": "HAPROXY_EDGE_SKELETON=abc\n",
    "show servers state": f"1\n{HEADER}\n3 websecure a:10.0.0.1:1 10.0.0.1 0 100 6 1\n",
}


@pytest.fixture
def talk(tmp_path):
    """A socket that answers from a mapping as HAProxy's interactive mode does; unknown commands hang up."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "s"))
    listener.listen()

    def serve(answers):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, connection.makefile("r") as lines:
                for line in lines:
                    if line.strip() not in answers:
                        break
                    connection.sendall(f"{answers[line.strip()]}\n> ".encode())

    def start(**changed):
        answers = {**ANSWERS, **changed}
        threading.Thread(target=serve, args=(answers,), daemon=True).start()
        return RuntimeApi(tmp_path / "s", deadline=2.0)

    yield start
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def test_what_runs_is_read_by_one_connection(talk):
    running = talk().running()
    assert (running.pid, running.digest) == (7, "abc")
    (one,) = running.servers
    assert (one.backend, one.name, one.address, one.port) == ("websecure", "a:10.0.0.1:1", "10.0.0.1", 1)
    assert (one.weight, one.admin_state, one.checked) == (100, 0, True)


def test_a_process_without_our_variable_is_not_ours(talk):
    assert talk(**{"show env HAPROXY_EDGE_SKELETON": "[3]: Variable not found\n"}).running().digest is None


@pytest.mark.parametrize(
    "answers",
    [
        {"show info": "nothing\n"},
        {"show info": "Pid: many\n"},
        {"show servers state": "2\n# new columns\n"},
        {"show servers state": "1\n# be_id be_name\n3 websecure\n"},
        {"show servers state": f"1\n{HEADER}\n3 websecure a\n"},
        {"show servers state": ""},
    ],
)
def test_an_answer_that_is_not_understood_is_an_error(talk, answers):
    with pytest.raises(RuntimeApiError, match="not understood"):
        talk(**answers).running()


def test_commands_are_checked_one_by_one_and_an_unknown_answer_is_told(talk):
    api = talk(**{"fine": "", "odd": "[3]: No such server.\n", "new": "[6]: Done.\n"})
    assert api.send([Command("fine"), Command("new", ("[6]: Done.",))]) == ("", "[6]: Done.\n")
    with pytest.raises(RuntimeApiError, match=r"answered '\[3\]: No such server\.' to 'odd'"):
        api.send([Command("fine"), Command("odd")])


def test_hundreds_of_commands_are_answered_in_their_order(talk):
    api = talk(**{f"number {n}": f"{n}" for n in range(333)})
    assert api.send([Command(f"number {n}", (str(n),)) for n in range(333)]) == tuple(str(n) for n in range(333))


def test_a_socket_that_hangs_up_is_an_error(talk):
    with pytest.raises(RuntimeApiError):
        talk().send([Command("unheard of")])


def test_no_socket_is_an_error(tmp_path):
    with pytest.raises(RuntimeApiError, match="nowhere"):
        RuntimeApi(tmp_path / "nowhere").running()


def test_a_socket_that_says_nothing_is_an_error_after_the_deadline(tmp_path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        with pytest.raises(RuntimeApiError, match="timed out"):
            RuntimeApi(tmp_path / "s", deadline=0.05).running()


def test_a_leaving_server_is_overdue_after_its_time_and_a_reboot_begins_anew(tmp_path):
    path, name = tmp_path / "leaving.json", ("websecure", "a")
    Leaving.load(path, now=100.0).save([name])
    assert Leaving.load(path, now=399.0).overdue(300) == frozenset()
    assert Leaving.load(path, now=400.0).overdue(300) == {name}
    assert Leaving.load(path, now=5.0).since == {}
    Leaving.load(path, now=400.0).save([name])
    assert Leaving.load(path, now=400.0).overdue(300) == {name}
    path.write_text("torn")
    assert Leaving.load(path, now=400.0).since == {}
