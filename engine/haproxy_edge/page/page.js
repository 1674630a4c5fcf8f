// The status page: draws what the engine reports, as it happens. It decides nothing and asks for nothing but that.
// Every value is text: no markup is ever made from one, and the page's policy would refuse it.
"use strict";

const SVG = "http://www.w3.org/2000/svg";
const POLL_MS = 5000;
// seconds without a cycle after which the engine is said to stand still: it has one every two
const STALE_CYCLE = 60;
const SHOWN_CHANGES = 8;
// seconds an edge may take before it is called behind: with every change each edge is, for a moment
const MOMENT = 3;

const byId = (id) => document.getElementById(id);
let last = null; // the newest content
let skew = 0; // seconds the engine's clock is ahead of this one

const now = () => Date.now() / 1000 + skew;

// --- words -----------------------------------------------------------------------------------------------------------

function span(seconds) {
  if (seconds < 0.0995) return `${Math.max(1, Math.round(seconds * 1000))} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(seconds < 0.995 ? 2 : 1)} s`;
  if (seconds < 100) return `${Math.round(seconds)} s`;
  if (seconds < 6000) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

// whole units: what ticks shall not flicker
function age(at, isDuration) {
  const seconds = Math.max(0, Math.floor(now() - at));
  const words = seconds < 100 ? `${seconds} s` : span(seconds);
  if (isDuration) return `for ${words}`;
  return seconds < 2 ? "just now" : `${words} ago`;
}

const clock = (at) => new Date(at * 1000).toLocaleTimeString([], { hour12: false });
const plural = (count, one, many) => `${count} ${count === 1 ? one : many}`;
const total = (counts) => Object.values(counts || {}).reduce((sum, count) => sum + count, 0);

// --- elements --------------------------------------------------------------------------------------------------------

function make(tag, classes, ...content) {
  const element = document.createElement(tag);
  if (classes) element.className = classes;
  element.append(...content);
  return element;
}

function ago(at, isDuration = false) {
  if (at === null || at === undefined) return make("span", "quiet", isDuration ? "" : "never");
  const element = make("time", "", age(at, isDuration));
  element.dateTime = new Date(at * 1000).toISOString();
  element.title = new Date(at * 1000).toLocaleString();
  element.dataset.at = at;
  if (isDuration) element.dataset.duration = "";
  return element;
}

const badge = (state, word) => make("span", `badge ${state}`, word);

function row(key, titles, cells) {
  const element = make("tr");
  element.dataset.key = key;
  element.setAttribute("role", "row");
  cells.forEach((content, column) => {
    const cell = make(column ? "td" : "th", "", content);
    cell.setAttribute("role", column ? "cell" : "rowheader");
    if (!column) cell.scope = "row";
    cell.dataset.title = titles[column];
    if (typeof content === "number") cell.className = "number";
    element.append(cell);
  });
  return element;
}

// what is as it was stays the same element, so that a selection, the focus and what is unfolded stay, too
function replace(parent, drawn) {
  const kept = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const next = drawn.map((element) => keepOrTake(kept.get(element.dataset.key), element));
  if (next.length !== parent.children.length || next.some((child, index) => child !== parent.children[index])) {
    const held = document.activeElement?.closest("[data-key]")?.dataset.key;
    parent.replaceChildren(...next);
    if (held) next.find((child) => child.dataset.key === held)?.querySelector("summary")?.focus();
  }
  const none = byId(`${parent.id}-none`);
  if (none) none.hidden = next.length > 0;
}

function keepOrTake(kept, element) {
  if (!kept) return element;
  const [was, is] = [kept.querySelector("details"), element.querySelector("details")];
  if (was && is) is.open = was.open;
  return kept.isEqualNode(element) ? kept : element;
}

// --- the parts of the page -------------------------------------------------------------------------------------------

const titlesOf = (id) => [...byId(id).closest("table").querySelectorAll("th[scope=col]")].map((cell) => cell.textContent);

const isBehind = (edge) => edge.behind_since !== null;
const isLate = (edge) => isBehind(edge) && now() - edge.behind_since > MOMENT;

function verdict(report) {
  const edges = Object.keys(report.edges).length;
  const late = Object.keys(report.edges).filter((name) => isLate(report.edges[name])).sort();
  const mute = report.watches.filter((watch) => watch.condition !== "ok");
  const held = Object.entries(report.services).filter(([, service]) => service.held);
  if (!report.watches.length) return ["bad", "The cluster cannot be followed", "The API has not answered yet. Edges stay as they are."];
  if (now() - report.cycled_at > STALE_CYCLE) {
    return ["bad", "The engine stands still", `It last looked at ${clock(report.cycled_at)}. Edges stay as they are.`];
  }
  if (mute.length) {
    const why = mute[0].message || mute[0].condition || "not listed yet";
    return ["bad", "The cluster cannot be followed", `${why}. Edges stay as they are.`];
  }
  if (late.length) {
    const verb = late.length === 1 ? "has" : "have";
    return ["warn", `${late.length} of ${plural(edges, "edge", "edges")} behind`, `${late.join(", ")} ${verb} not confirmed what the store holds.`];
  }
  if (held.length) {
    const words = held.map(([name, service]) => `${name} (${service.held})`).join(", ");
    return ["warn", "Edges are held as they are", `${words}.`];
  }
  if (!edges) return ["wait", "No edge yet", "No accepted minion matches the engine’s target."];
  return ["good", edges === 1 ? "The edge follows the cluster" : `All ${edges} edges follow the cluster`, ""];
}

function drawVerdict(report, history) {
  const [state, word, why] = verdict(report);
  const done = history.filter((change) => toLast(change) !== null).at(-1);
  const reached = done ? `The change of ${clock(done.at)} reached every edge in ${span(toLast(done))}.` : "";
  const texts = { "verdict-word": word, "verdict-why": why || (state === "good" ? reached : "") };
  byId("verdict").dataset.state = state;
  // said anew by a screen reader only when it is new
  for (const [id, text] of Object.entries(texts)) if (byId(id).textContent !== text) byId(id).textContent = text;
  document.title = `${state === "good" ? "" : "⚠ "}${word} · ${report.cluster}`;
}

function drawTiles(report, history) {
  const services = Object.values(report.services);
  const edges = Object.values(report.edges);
  const times = history.map((change) => toLast(change)).filter((time) => time !== null).sort((a, b) => a - b);
  const contacts = report.watches.map((watch) => watch.last_contact);
  const oldest = contacts.length && !contacts.includes(null) ? Math.min(...contacts) : null;
  const draining = services.reduce((sum, service) => sum + service.draining, 0);
  const forged = total(report.counters.forged);
  const tiles = [
    ["Edges up to date", `${edges.filter((edge) => !isBehind(edge)).length}`, `of ${edges.length}`],
    ["Servers ready", `${services.reduce((sum, service) => sum + service.ready, 0)}`, draining ? `${draining} draining` : "none draining"],
    ["To the last edge", times.length ? span(times[Math.floor((times.length - 1) / 2)]) : "–", `median of ${plural(times.length, "change", "changes")}`],
    ["View of the cluster", oldest === null ? "–" : ago(oldest), plural(report.watches.length, "watch", "watches")],
    ["Reloads", `${total(report.counters.reloads)}`, forged ? `${plural(forged, "forged event", "forged events")} refused` : "since the engine began"],
  ];
  replace(byId("tiles"), tiles.map(([title, value, note]) => {
    const tile = make("div", "tile", make("dt", "", title), make("dd", "value", value), make("dd", "note", note));
    tile.dataset.key = title;
    return tile;
  }));
}

// seconds until the last edge confirmed the change; null while one has not, or when it was replaced before any did
function toLast(change) {
  const times = Object.values(change.edges);
  return times.length && !change.waiting.length ? Math.max(...times) : null;
}

// a newer content is stored: nobody will confirm this one any more
const isOver = (change, report) => report.services[change.service]?.generation !== change.generation;

function drawChanges(report, history) {
  const shown = history.slice(-SHOWN_CHANGES).reverse();
  replace(byId("changes"), shown.map((change) => drawChange(change, report, scaleOf(shown))));
}

// seconds the width of a track stands for: one straggler must not squeeze all others into a corner
function scaleOf(shown) {
  const times = shown.flatMap((change) => Object.values(change.edges)).sort((a, b) => a - b);
  const middle = times[Math.floor(times.length / 2)] ?? 0;
  return Math.max(0.05, Math.min(times.at(-1) ?? 0, 2.5 * middle));
}

function drawChange(change, report, longest) {
  const confirmed = Object.keys(change.edges).length;
  const reached = toLast(change);
  const waiting = change.waiting.length > 0 && !isOver(change, report);
  const took = waiting
    ? badge("warn", `${confirmed} of ${confirmed + change.waiting.length}`)
    : make(reached === null ? "span" : "b", reached === null ? "quiet" : "", reached === null ? "replaced" : span(reached));
  const item = make(
    "li", waiting ? "change waiting" : "change",
    make("div", "when", make("b", "", clock(change.at)), ago(change.at)),
    make("div", "what", make("span", "service", change.service), drawServers(change)),
    make("div", "track", track(change, longest)),
    make("div", "took", took),
  );
  item.dataset.key = `${change.service} ${change.generation}`;
  return item;
}

function drawServers(change) {
  const kinds = [["added", "+"], ["drained", "~"], ["removed", "−"]].filter(([kind]) => change[kind]?.length);
  const chips = kinds.map(([kind, sign]) => make("span", `chip ${kind}`, `${sign}${change[kind].length} ${kind}`));
  const summary = make("summary", "", ...chips, make("span", "count", `${change.ready} ready${change.draining ? `, ${change.draining} draining` : ""}`));
  if (!kinds.length) return make("p", "servers", ...summary.childNodes);
  const lines = kinds.map(([kind, sign]) => make("p", "", `${sign} ${change[kind].join(", ")}`));
  return make("details", "servers", summary, make("div", "names", ...lines));
}

function track(change, longest) {
  const times = Object.entries(change.edges).sort((a, b) => a[1] - b[1]);
  const svg = document.createElementNS(SVG, "svg");
  const put = (tag, attributes, parent = svg) => {
    const element = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return parent.appendChild(element);
  };
  const place = (seconds) => `${(2 + 96 * Math.min(1, seconds / longest)).toFixed(2)}%`;
  const said = times.map(([edge, seconds]) => `${edge} after ${span(seconds)}`).join(", ");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", said || "no edge has confirmed yet");
  put("line", { class: "rail", x1: "2%", x2: "98%", y1: "50%", y2: "50%" });
  if (times.length) put("line", { class: "run", x1: "2%", x2: place(times.at(-1)[1]), y1: "50%", y2: "50%" });
  for (const [edge, seconds] of times) {
    const dot = put("circle", { cx: place(seconds), cy: "50%", r: 5 });
    put("title", {}, dot).textContent = `${edge}: ${span(seconds)}`;
  }
  return svg;
}

function drawEdges(report) {
  const titles = titlesOf("edge-rows");
  const order = ([a, one], [b, two]) => isLate(two) - isLate(one) || a.localeCompare(b, "en", { numeric: true });
  replace(byId("edge-rows"), Object.entries(report.edges).sort(order).map(([name, edge]) => row(name, titles, [
    name, edgeState(edge), ago(edge.heard_at),
    edge.heard_at === null ? "" : make("span", "work", `${edge.lane || "?"} lane, ${span((edge.ms || 0) / 1000)}`),
    reloadOf(edge), notesOf(edge),
  ])));
}

function edgeState(edge) {
  if (!isBehind(edge)) return badge("good", "up to date");
  if (!isLate(edge)) return badge("going", "updating");
  return make("span", "", badge("warn", "behind"), " ", ago(edge.behind_since, true));
}

function reloadOf(edge) {
  return edge.reload ? make("span", "", ago(edge.reload.at), `: ${edge.reload.reason}`) : make("span", "quiet", "none known");
}

function notesOf(edge) {
  const older = isLate(edge) ? edge.lacks || [] : [];
  const notes = [
    ...(edge.problems || []),
    ...(edge.state_needed ? [`needs the state lane: ${edge.state_needed}`] : []),
    ...older.map((service) => `${service} is of ${clock(edge.applied[service] / 1000)}`),
  ];
  return notes.length ? make("span", "notes", notes.join("; ")) : "";
}

function drawServices(report) {
  const titles = titlesOf("service-rows");
  replace(byId("service-rows"), Object.entries(report.services).sort().map(([name, service]) => row(name, titles, [
    name, service.ready, service.draining, ago(service.generation ? service.generation / 1000 : null),
    make("code", "", String(service.generation ?? "–")), serviceState(service),
  ])));
}

function serviceState(service) {
  const refused = service.refused || [];
  if (refused.length) return make("span", "", stateOf(service), make("span", "notes", ` left out: ${refused.join("; ")}`));
  return stateOf(service);
}

function stateOf(service) {
  if (service.held) return make("span", "", badge("warn", `held: ${service.held}`), " ", ago(service.held_since, true));
  return service.ready ? badge("good", "serving") : badge("bad", "empty");
}

function drawWatches(report) {
  const titles = titlesOf("watch-rows");
  replace(byId("watch-rows"), report.watches.map((watch) => {
    const lists = Object.entries(watch.relists || {}).map(([reason, count]) => `${count} × ${reason}`);
    const state = watch.condition === "ok" ? badge("good", "following") : make("span", "", badge("bad", watch.condition || "waiting"), ` ${watch.message || ""}`);
    return row(watch.path, titles, [make("code", "", watch.path), state, ago(watch.last_contact), lists.join(", ") || "none"]);
  }));
}

function draw() {
  if (!last) return;
  const { report, history } = last;
  byId("cluster").textContent = report.cluster;
  byId("engine").textContent = `Engine ${report.version}, process ${report.pid}.`;
  drawVerdict(report, history);
  drawTiles(report, history);
  drawChanges(report, history);
  drawEdges(report);
  drawServices(report);
  drawWatches(report);
}

// --- live ------------------------------------------------------------------------------------------------------------

function take(content) {
  last = content;
  skew = content.now - Date.now() / 1000;
  live("live", "live");
  draw();
}

function live(state, word) {
  byId("live").dataset.state = state;
  if (byId("live-word").textContent !== word) byId("live-word").textContent = word;
}

let stream = null;
let poll = null;

function open() {
  close();
  stream = new EventSource("/events");
  stream.onmessage = (event) => take(JSON.parse(event.data));
  stream.onerror = () => {
    live("lost", "no connection");
    // refused for good, as when too many pages are open: ask now and then instead
    if (stream.readyState === EventSource.CLOSED && !poll) {
      poll = setInterval(ask, POLL_MS);
      ask();
    }
  };
}

function close() {
  stream?.close();
  clearInterval(poll);
  poll = null;
}

async function ask() {
  try {
    take(await (await fetch("/report.json")).json());
  } catch {
    live("lost", "no connection");
  }
}

function tick() {
  for (const element of document.querySelectorAll("time[data-at]")) {
    element.textContent = age(Number(element.dataset.at), "duration" in element.dataset);
  }
  // what becomes late, or stands still, does so without a word from the engine
  if (last) {
    drawVerdict(last.report, last.history);
    drawEdges(last.report);
  }
}

// a page nobody sees asks for nothing
document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
setInterval(() => document.hidden || tick(), 1000);
open();
