"""The status page in a real browser: what it says, that it says it at once, and to whom.

The report is made, the server and the browser are real; ``tests/e2e`` looks at the lab's own.
"""

from __future__ import annotations

import json
import threading

import pytest
from haproxy_edge.page_server import PageServer, Sources

from lab.browser import Browser, is_there
from tests import reports
from tests.reports import GITEA, NOW, TRAEFIK

pytestmark = pytest.mark.skipif(not is_there(), reason="needs chromium: `lab/bootstrap tests` as root installs it")

HOSTILE = [
    "<img src=x onerror=document.title='owned'>",
    "</script><script>document.title='owned'</script>",
    '"><svg onload=alert(1)>',
    "javascript:alert(1)",
    "{{7*7}}",
]
# WCAG 2.2 AA: text against what is behind it; 3 is enough for large text
CONTRAST = """(() => {
  const channel = (value) => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const weights = [0.2126, 0.7152, 0.0722];
  const light = (color) => weights.reduce((sum, weight, at) => sum + weight * channel(rgb(color)[at]), 0);
  const back = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor, alpha = rgb(color)[3];
      if (alpha === undefined || alpha === 1) return color;
    }
    return "rgb(255, 255, 255)";
  };
  const faint = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement, style = getComputedStyle(element);
    if (!walk.currentNode.textContent.trim() || !element.getClientRects().length) continue;
    const [one, two] = [light(style.color), light(back(element))].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (two + 0.05);
    if (ratio < (parseFloat(style.fontSize) >= 24 ? 3 : 4.5)) faint.push(`${element.innerText}: ${ratio}`);
  }
  return faint;
})()"""


class Shown:
    """A page in the browser, and the report behind it."""

    def __init__(self, browser):
        self.browser = browser
        self.report = reports.report()
        self.history = [reports.change()]
        self.server = self._serve(0)
        self.port = self.server.server_address[1]

    def _serve(self, port):
        sources = Sources(lambda: self.report, lambda most: self.history[-most:], lambda: NOW)
        server = PageServer(("127.0.0.1", port), sources)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return server

    def open(self, **look):
        self.browser.complaints.clear()
        self.browser.look(**{"width": 1280, "height": 900, **look})
        self.browser.open(f"http://127.0.0.1:{self.port}/")
        self.browser.wait_for("last !== null")

    def text(self, selector):
        return self.browser.evaluate(f"document.querySelector({json.dumps(selector)}).innerText")

    def texts(self, selector):
        return self.browser.evaluate(f"[...document.querySelectorAll({json.dumps(selector)})].map(e => e.innerText)")

    def after(self, seconds, expression):
        """Its value when the page's clock is that far past the newest content, and before any other content comes."""
        return self.browser.evaluate(f"({_past(seconds)}, tick(), {expression})")

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def _past(seconds):
    """Sets the page's clock to so long after the newest content."""
    return f"skew = last.now - Date.now() / 1000 + {seconds}"


@pytest.fixture(scope="module")
def browser():
    with Browser() as started:
        yield started


@pytest.fixture
def shown(browser):
    page = Shown(browser)
    yield page
    page.stop()
    assert browser.complaints == []


def test_it_says_that_all_is_well(shown):
    shown.open()
    assert shown.text("#verdict-word") == "All 2 edges follow the cluster"
    assert "reached every edge in 0.21 s" in shown.text("#verdict-why")
    assert shown.text("#cluster") == "default" and shown.text("#live-word") == "live"
    assert [row.split()[0] for row in shown.texts("#edge-rows tr")] == ["edge1", "edge2"]
    assert [row.split()[0] for row in shown.texts("#service-rows tr")] == [GITEA, TRAEFIK]


def test_who_is_behind_stands_first_and_is_named(shown):
    shown.report["edges"]["edge2"] = reports.edge(
        behind_since=NOW - 65,
        applied={TRAEFIK: 1},
        lacks=[TRAEFIK],
        problems=["haproxy: missing port"],
        state_needed="bind changed",
    )
    shown.history = [reports.change(edges={"edge1": 0.12}, waiting=["edge2"])]
    shown.open()
    assert shown.text("#verdict-word") == "1 of 2 edges behind"
    assert shown.text("#verdict-why") == "edge2 has not confirmed what the store holds."
    first = shown.texts("#edge-rows tr")[0]
    assert first.startswith("edge2") and "for 65 s" in first
    assert "haproxy: missing port; needs the state lane: bind changed; kube-system/traefik is of" in first
    assert shown.text(".change .took") == "1 of 2"


def test_endpoints_that_are_left_out_are_named(shown):
    refused = ["10.9.9.9:8443: outside of allowed_networks"]
    shown.report["services"][TRAEFIK] = reports.service(refused=refused)
    shown.open()
    assert (
        shown.texts("#service-rows td:last-child")[1] == "serving left out: 10.9.9.9:8443: outside of allowed_networks"
    )


def test_an_edge_on_its_way_is_not_yet_behind_and_then_is(shown):
    shown.report["edges"]["edge2"] = reports.edge(behind_since=NOW - 1)
    shown.open()
    seen = "[byId('verdict-word').textContent, ...[...byId('edge-rows').children].map(row => row.innerText)]"
    word, _, second = shown.after(0, seen)
    assert (word, second.split()[:2]) == ("All 2 edges follow the cluster", ["edge2", "updating"])
    # by the page's own tick
    shown.browser.wait_for(f"({_past(3)}, {seen}.join(' ').startsWith('1 of 2 edges behind edge2'))")


def test_one_straggler_does_not_squeeze_the_others_into_a_corner(shown):
    shown.history = [reports.change(generation=number, edges={"edge1": 0.4}) for number in range(1, 6)]
    shown.history[0]["edges"] = {"edge1": 60.0}
    shown.open()
    places = shown.browser.evaluate(
        "[...document.querySelectorAll('.track circle')].map(e => parseFloat(e.getAttribute('cx')))"
    )
    assert places == [40.4, 40.4, 40.4, 40.4, 98]


@pytest.mark.parametrize(
    ("changed", "word", "why"),
    [
        (
            {"watches": [reports.watch(condition="http-403", message="the API forbids it")]},
            "The cluster cannot be followed",
            "the API forbids it. Edges stay as they are.",
        ),
        ({"watches": [], "cycled_at": NOW - 100}, "The cluster cannot be followed", "The API has not answered yet."),
        ({"cycled_at": NOW - 100}, "The engine stands still", "Edges stay as they are."),
        (
            {"services": {TRAEFIK: reports.service(held="empty", held_since=NOW - 3)}},
            "Edges are held as they are",
            "kube-system/traefik (empty).",
        ),
        ({"edges": {}}, "No edge yet", "No accepted minion matches the engine’s target."),
    ],
    ids=["watch", "no-watch", "engine", "held", "no-edge"],
)
def test_it_says_what_is_wrong(shown, changed, word, why):
    shown.report = reports.report(**changed)
    shown.open()
    assert shown.text("#verdict-word") == word
    assert why in shown.text("#verdict-why")


def test_a_change_is_shown_as_it_happens_with_its_time_to_converge(shown):
    shown.open()
    shown.history = [*shown.history, reports.change(generation=2, at=NOW, edges={"edge1": 0.4, "edge2": 1.26})]
    shown.report = reports.report(counters={**shown.report["counters"], "changes": {TRAEFIK: 15}})
    shown.browser.wait_for("document.querySelectorAll('.change').length === 2")
    assert shown.texts(".took") == ["1.3 s", "0.21 s"]
    assert (
        shown.browser.evaluate("document.querySelector('.change svg').ariaLabel")
        == "edge1 after 0.40 s, edge2 after 1.3 s"
    )


def test_no_value_becomes_markup(shown):
    evil = HOSTILE[0]
    shown.report = reports.report(
        cluster=HOSTILE[1],
        version=evil,
        watches=[reports.watch(path=evil, message=HOSTILE[2], condition=HOSTILE[3], relists={evil: 1})],
        services={name: reports.service(held=evil, held_since=NOW) for name in HOSTILE},
        edges={
            name: reports.edge(problems=[evil], state_needed=evil, lane=evil, reload={"at": NOW, "reason": evil})
            for name in HOSTILE
        },
    )
    shown.history = [reports.change(service=evil, added=HOSTILE, drained=HOSTILE, edges=dict.fromkeys(HOSTILE, 1.0))]
    shown.open()
    assert "owned" not in shown.browser.evaluate("document.title").split(" ·")[0]
    assert (
        shown.browser.evaluate(
            "document.querySelectorAll('img, script:not([src]), iframe, [onload], [onerror]').length"
        )
        == 0
    )
    assert shown.browser.evaluate("document.scripts.length") == 1
    assert sorted(shown.texts("#edge-rows th")) == sorted(HOSTILE)
    assert evil in shown.text("footer")


def test_its_policy_refuses_markup_made_from_text(shown):
    shown.open()
    attempt = "try { document.body.innerHTML = '<b>x</b>'; return false } catch (e) { return e instanceof TypeError }"
    assert shown.browser.evaluate(f"(() => {{ {attempt} }})()")
    assert "TrustedHTML" in shown.browser.complaints.pop()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_all_text_can_be_read_and_nothing_is_cut_off(shown, dark, width):
    shown.report["edges"]["edge-of-a-rather-long-name.rack-12.example.org"] = reports.edge(
        behind_since=NOW - 65,
        problems=["x" * 90],
        reload={"at": NOW, "reason": "frontends, settings or server flags changed"},
    )
    shown.report["services"][GITEA] = reports.service(held="frozen", held_since=NOW, ready=0)
    shown.report["watches"][1]["condition"] = "http-403"
    shown.history = [reports.change(drained=["a"], removed=["b"], waiting=["edge2"], edges={"edge1": 1})]
    shown.open(width=width, height=844, dark=dark)
    assert shown.browser.evaluate(CONTRAST) == []
    assert shown.browser.evaluate("document.documentElement.scrollWidth") <= width


def test_a_screen_reader_meets_landmarks_headings_and_tables_with_headers(shown):
    shown.open()
    heard = shown.browser.heard()
    roles = [role for role, _ in heard]
    assert roles.count("main") == 1 and roles.count("banner") == 1 and roles.count("contentinfo") == 1
    assert {"Last changes", "Edges", "Services", "Watches of the Kubernetes API"} <= {
        n for r, n in heard if r == "heading"
    }
    assert {"Edges", "Services", "Watches of the Kubernetes API"} <= {n for r, n in heard if r == "table"}
    assert {"Edge", "State", "Confirmed", "Last reload"} <= {n for r, n in heard if r == "columnheader"}
    assert {"edge1", "edge2", TRAEFIK} <= {n for r, n in heard if r == "rowheader"}
    assert ("image", "edge1 after 0.12 s, edge2 after 0.21 s") in heard
    assert shown.browser.evaluate("document.documentElement.lang") == "en"


def test_tables_stay_tables_to_a_screen_reader_on_a_phone(shown):
    shown.open(width=390, height=844)
    heard = shown.browser.heard()
    assert {"edge1", "edge2"} <= {name for role, name in heard if role == "rowheader"}
    assert "cell" in {role for role, _ in heard}


def test_only_the_verdict_is_read_out_and_only_when_it_is_another(shown):
    shown.open()
    assert shown.browser.evaluate("[...document.querySelectorAll('[aria-live]')].map(e => e.id)") == ["verdict"]
    what = "{childList: true, subtree: true, characterData: true}"
    shown.browser.evaluate(f"window.said = 0; new MutationObserver(() => said++).observe(byId('verdict'), {what})")
    heard = "new Promise(done => setTimeout(() => done(said)))"
    assert [shown.after(seconds, heard) for seconds in (1, 2, 3)] == [0, 0, 0]
    # by then the engine has stood still
    assert shown.after(600, heard) >= 1


def test_the_keyboard_reaches_everything_and_unfolds_a_change(shown):
    shown.open()
    reached = []
    for _ in range(5):
        shown.browser.press("Tab")
        reached.append(shown.browser.evaluate("document.activeElement.innerText.trim().split('\\n')[0]"))
        if shown.browser.evaluate("document.activeElement.tagName === 'SUMMARY'"):
            shown.browser.press("Enter")
    assert reached[0] == "Skip to the edges" and reached[1].startswith("+1 added")
    assert reached[2:4] == ["/metrics", "/report.json"]
    assert shown.text(".names") == "+ traefik-7d5c-x:10.42.0.9:8443"


def test_what_is_unfolded_and_focused_stays_so_while_the_page_changes(shown):
    shown.open()
    shown.browser.evaluate("document.querySelector('summary').click(); document.querySelector('summary').focus()")
    shown.history = [reports.change(ready=7)]
    shown.report = reports.report(services={TRAEFIK: reports.service(ready=7)})
    shown.browser.wait_for("document.querySelector('summary').innerText.includes('7 ready')")
    assert shown.browser.evaluate("document.querySelector('details').open")
    assert shown.browser.evaluate("document.activeElement.tagName") == "SUMMARY"


def test_a_lost_connection_is_told_and_mends_itself(shown):
    shown.open()
    stopped, shown.server = shown.server, None
    stopped.shutdown()
    stopped.server_close()
    shown.browser.wait_for("byId('live-word').textContent === 'no connection'")
    shown.server = shown._serve(shown.port)
    shown.browser.wait_for("byId('live-word').textContent === 'live'", timeout=60)
    shown.browser.complaints.clear()


def test_with_too_many_pages_open_it_asks_now_and_then(shown):
    for _ in range(8):
        assert shown.server.streams.acquire(blocking=False)
    shown.open()
    assert shown.text("#live-word") == "live"
    assert shown.browser.evaluate("poll !== null")
    shown.report = reports.report(edges={"edge1": reports.edge()})
    # as the page itself does every five seconds; the server looks at its report four times in one
    shown.browser.wait_for("(ask(), document.querySelectorAll('#edge-rows tr').length === 1)")
    assert [said for said in shown.browser.complaints if "503" not in said] == []
    shown.browser.complaints.clear()
