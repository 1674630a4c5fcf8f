"""What a connection meets: is there a way to a pod, from which address, and does the pod take the PROXY header.

Standard library only, a deadline on every step, nothing is kept. A probe says what it saw and never more: that a header
was taken is proven by the talk going on, that the address in it is believed only by an answer that shows it.

How a probe tells them apart: HAProxy sends the header as soon as it is connected. A receiver that takes it for data
answers "400" or hangs up before the client has said a word; one that understands it waits, or greets.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TypeVar

# seconds: to connect, to stay silent and see what the other side does, to wait for an answer
CONNECT, SILENCE, ANSWER = 2.0, 0.6, 2.0
_AT_ONCE = 128
_READ = 16_384
_REFUSAL = re.compile(rb"HTTP/1\.[01] 4\d\d|\x15\x03")
_ADDRESS = re.compile(r"[0-9a-fA-F:.]{3,45}")
_HOST = re.compile(r"[A-Za-z0-9.-]{0,253}")
AGENT = "haproxy-edge-doctor"

Key = TypeVar("Key")
Value = TypeVar("Value")


@dataclass(frozen=True)
class Answer:
    """``verdict``: ``accepted``, ``refused`` (the header was taken for data), ``closed`` (it hung up on the client's
    first words), ``silent`` or ``unreachable``. ``shown`` are the addresses in what was answered."""

    verdict: str
    words: str
    client: str = ""
    shown: tuple[str, ...] = ()


def all_at_once(task: Callable[[Key], Value], keys: Iterable[Key]) -> Mapping[Key, Value]:
    """``task`` of each key, many at a time."""
    listed = list(dict.fromkeys(keys))
    with ThreadPoolExecutor(min(_AT_ONCE, max(len(listed), 1))) as pool:
        return dict(zip(listed, pool.map(task, listed), strict=True))


def way_to(place: tuple[str, int]) -> str | None:
    """None when a TCP connection to (address, port) opens, else why not."""
    try:
        socket.create_connection(place, timeout=CONNECT).close()
    except OSError as error:
        return "no answer" if isinstance(error, TimeoutError) else error.strerror or str(error)
    return None


def source_towards(address: str) -> str | None:
    """The address of this host that a connection to ``address`` comes from; None without a route. Sends nothing."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as route:
            route.connect((address, 9))
            return str(route.getsockname()[0])
    except OSError:
        return None


def probe(place: tuple[str, int], host: str = "") -> Answer:
    """Talk through the frontend at (address, port) to whatever is behind it; ``host`` is asked for where it is a web
    server. Raises ``ValueError`` on a host that is no name."""
    if not _HOST.fullmatch(host):
        raise ValueError(f"host: {host!r}: must be a host name")
    try:
        with socket.create_connection(place, timeout=CONNECT) as connection:
            client = str(connection.getsockname()[0])
            greeted = _listen(connection)
            if greeted is None:
                return _web(connection, place, client, host)
    except OSError as error:
        return Answer("unreachable", error.strerror or str(error))
    if not greeted:
        return Answer("refused", "it hung up before the client had said a word", client)
    if _REFUSAL.match(greeted):
        return Answer("refused", f"it answered {_first_line(greeted)!r} before the client had said a word", client)
    return Answer("accepted", f"it greets with {_first_line(greeted)!r}", client, _addresses(greeted))


def _listen(connection: socket.socket) -> bytes | None:
    """What comes while we are silent: empty when it hung up, None for silence."""
    connection.settimeout(SILENCE)
    try:
        return connection.recv(_READ)
    except TimeoutError:
        return None
    except ConnectionError:
        return b""


def _web(connection: socket.socket, place: tuple[str, int], client: str, host: str) -> Answer:
    """Ask as a browser would: over TLS, and where that is not spoken, plainly."""
    connection.settimeout(ANSWER)
    try:
        with _tls().wrap_socket(connection, server_hostname=host or None) as secured:
            return _answer(secured, client, host, "over TLS")
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionError):
        return _plain(place, client, host, Answer("closed", "it hung up when the client began TLS", client))
    except TimeoutError:
        return _plain(place, client, host, Answer("silent", "no answer to TLS", client))
    except (ssl.SSLError, OSError) as error:
        reason = getattr(error, "reason", None) or str(error)
        return _plain(place, client, host, Answer("accepted", f"it answers, but not with TLS: {reason}", client))


def _plain(place: tuple[str, int], client: str, host: str, otherwise: Answer) -> Answer:
    try:
        with socket.create_connection(place, timeout=CONNECT) as connection:
            connection.settimeout(ANSWER)
            answer = _answer(connection, client, host, "plainly")
    except OSError:
        return otherwise
    return answer if answer.verdict == "accepted" else otherwise


def _answer(connection: socket.socket, client: str, host: str, how: str) -> Answer:
    request = f"GET / HTTP/1.1\r\nHost: {host or AGENT}\r\nUser-Agent: {AGENT}\r\nConnection: close\r\n\r\n"
    connection.sendall(request.encode())
    try:
        received = _all(connection)
    except TimeoutError:
        received = b""
    if not received and how != "over TLS":
        return Answer("silent", f"no answer to a request {how}", client)
    return Answer("accepted", f"it answers {how}: {_first_line(received)!r}", client, _addresses(received))


def _all(connection: socket.socket) -> bytes:
    received = b""
    while len(received) < _READ:
        try:
            more = connection.recv(_READ)
        except (TimeoutError, ssl.SSLError, ConnectionError):
            break
        if not more:
            break
        received += more
    return received


def _tls() -> ssl.SSLContext:
    """Whom it talks to is not the question here, so no certificate is checked."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context


def _first_line(data: bytes) -> str:
    return data.decode(errors="replace").strip().partition("\n")[0].strip()[:80]


def _addresses(data: bytes) -> tuple[str, ...]:
    found = []
    for word in _ADDRESS.findall(data.decode(errors="replace")):
        try:
            address = ip_address(word.strip(".:") if word.count(":") < 2 else word)
        except ValueError:
            continue
        mapped = getattr(address, "ipv4_mapped", None)
        found.append(str(mapped or address))
    return tuple(dict.fromkeys(found))[:16]
