// What is shown: the overview, or one policy, kept up to date by asking every few seconds.

import { Chart } from "./chart.js";
import { clock, duration, element, load, loudness, number, percent, seconds, unitOf } from "./format.js";
import { readout } from "./readout.js";
import { sparkline } from "./sparkline.js";

const POLL_MS = 5000, RETRY_MS = 10000, PAGE_SIZE = 50, MOST_POINTS = 6000, FIRST_CHANGES = 20;
const $ = (id) => document.getElementById(id);
const state = { q: "", attention: "", sort: "attention", offset: 0, asked: 0, rows: null, target: null, signal: 0, allChanges: false };
const STALE_MS = 60000; // four cycles without a new decision are worth a word
let timer, freshAt = null, freshSince = 0, chart;

/** Ask the daemon; an answer that is not 200 is an error with its text. */
async function ask(path, parameters) {
  const answer = await fetch(`${path}?${new URLSearchParams(parameters)}`, { cache: "no-cache" });
  if (!answer.ok) throw Object.assign(new Error((await answer.text()).trim()), { status: answer.status });
  return answer.json();
}

async function refresh() {
  clearTimeout(timer);
  const asked = ++state.asked;
  let wait = POLL_MS;
  try {
    const at = await (state.target ? refreshPolicy(asked) : refreshOverview(asked));
    if (asked !== state.asked) return;
    calm(at);
  } catch (error) {
    if (asked !== state.asked) return;
    wait = RETRY_MS;
    trouble(error);
  }
  $("main").setAttribute("aria-busy", "false");
  timer = setTimeout(refresh, document.hidden ? 6 * wait : wait);
}

function calm(at) {
  $("trouble").hidden = true;
  if (!at) { live("Waiting for the first reconcile"); return; }
  const decided = `decided ${moment(at)} UTC`, fresh = at !== freshAt;
  if (fresh) { freshAt = at; freshSince = performance.now(); }
  const still = performance.now() - freshSince;
  if (still < STALE_MS) live("Live", `, ${decided}`);
  else live("No new decision", ` for ${duration(Math.floor(still / 60000) * 60)}; last ${decided}`, true);
  if (!fresh) return;
  $("live").classList.add("fresh");
  setTimeout(() => $("live").classList.remove("fresh"), 1000);
}

/** How fresh the page is: a screen reader is told when the word changes, and not every new time. */
function live(word, rest = "", stale = false) {
  const [status, time] = $("live").children;
  if (status.textContent !== word) status.textContent = word;
  if (time.textContent !== rest) time.textContent = rest;
  $("live").classList.toggle("stale", stale);
}

const moment = (at) => clock(seconds(at), { day: true });

function trouble(error) {
  const seen = document.querySelector("main section:not([hidden])");
  const known = freshAt && seen ? ` What you see is from ${moment(freshAt)} UTC.` : "";
  const what = error.status ? `The autoscaler answered: ${error.message}.` : "The autoscaler does not answer; trying again.";
  $("trouble").textContent = what + known;
  $("trouble").hidden = false;
  live("Not live", "", true);
}

// ---------------------------------------------------------------- overview

async function refreshOverview(asked) {
  const { q, attention, sort, offset } = state;
  const overview = await ask("api/policies", { q, attention, sort, offset, limit: PAGE_SIZE, trend: "hour" });
  if (asked !== state.asked) return null;
  show("overview");
  document.title = "Autoscaler";
  showHeldBack(overview.held_back);
  showProblems(overview.policy_problems);
  showCounts(overview.counts, overview.total);
  showEmpty(overview);
  showRows(overview.policies);
  showPages(overview);
  return overview.at;
}

function showHeldBack(because) {
  $("held-back").hidden = !because;
  $("held-back").textContent = `This replica writes nothing: ${because}.`;
}

function showProblems(problems) {
  $("policy-problems").hidden = !problems.length;
  $("policy-problems").replaceChildren(
    ...problems.map((problem) => {
      const line = document.createElement("li");
      line.textContent = problem;
      return line;
    }),
  );
}

function showCounts(counts, total) {
  const words = Object.entries(counts).map(([word, n]) => [word, `${word} ${n}`]);
  if (state.attention && !counts[state.attention]) words.push([state.attention, `${state.attention} 0`]);
  const buttons = [["", `all ${total}`], ...words].map(([word, text]) => {
    const found = $("counts").querySelector(`[data-word="${word}"]`);
    const button = found ?? element("button", { type: "button", "data-word": word });
    if (button.textContent !== text) button.textContent = text;
    button.setAttribute("aria-pressed", String(state.attention === word));
    return button;
  });
  arrange($("counts"), buttons);
}

function showEmpty({ total, matched, at }) {
  $("empty").hidden = matched > 0;
  $("policies").hidden = matched === 0;
  $("counts").hidden = $("filter").hidden = total === 0;
  if (total > 0) $("empty").textContent = "No policy matches. Clear the filter to see all.";
  else if (at) $("empty").textContent = "No policies.";
  else $("empty").textContent = "No policy has been decided yet. A policy is a ConfigMap labelled autoscaler/policies: \"true\"; autoscaler validate checks it.";
}

function showRows(policies) {
  const body = $("policies").tBodies[0];
  const known = new Map([...body.rows].map((row) => [row.dataset.key, row]));
  arrange(body, policies.map((policy) => {
    const key = `${policy.namespace}/${policy.name}/${policy.kind}`;
    const row = known.get(key) ?? emptyRow(key, policy);
    fillRow(row, policy);
    return row;
  }));
}

const CELLS = [["state", "State"], ["ready number", "Ready"], ["replicas number", "Replicas"], ["bounds number", "Min–max"],
  ["trend", "Last hour"], ["value number", "Load now"], ["forecast number", "Forecast"], ["why", "Why"]];

function emptyRow(key, policy) {
  const row = element("tr", { "data-key": key });
  const where = `#/policy/${[policy.namespace, policy.name, policy.kind].map(encodeURIComponent).join("/")}`;
  const kind = policy.kind === "Deployment" ? "" : `${policy.kind}, `;
  row.append(element("td", { class: "who", "data-label": "Workload" },
    element("a", { href: where, text: `${policy.namespace}/${policy.name}` }), element("span", { class: "mode", text: kind + policy.mode })));
  for (const [name, label] of CELLS) row.append(element("td", { class: name, "data-label": label }));
  return row;
}

function fillRow(row, policy) {
  const change = policy.desired_replicas !== policy.current_replicas ? ` → ${policy.desired_replicas}` : "";
  const lead = policy.lead_time_seconds === null ? "" : ` in ${duration(policy.lead_time_seconds)}`;
  const texts = [null, number(policy.ready_replicas), number(policy.current_replicas) + change,
    policy.min_replicas === null ? "–" : `${policy.min_replicas}–${policy.max_replicas}`, null, null,
    null, policy.message];
  const cells = [...row.cells].slice(1);
  texts.forEach((text, i) => { if (text !== null && cells[i].textContent !== text) cells[i].textContent = text; });
  setTag(cells[0], policy.attention);
  cells[4].replaceChildren(...sparkline(policy.trend, policy.metric));
  setTwo(cells[5], ...load(policy.value, policy.metric).split(" "));
  setTwo(cells[6], number(policy.forecast) + (policy.forecast === null ? "" : lead), policy.trust);
  const lasted = policy.since ? seconds(policy.time) - seconds(policy.since) : 0;
  const since = policy.attention === "calm" ? "" : lasted < 1 ? "just now" : `for ${duration(lasted)}`;
  if (cells[0].lastChild.textContent !== since) cells[0].lastChild.textContent = since;
}

function setTag(cell, word) {
  if (!cell.firstChild) cell.append(element("span", {}), " ", element("span", { class: "mode" }));
  if (cell.firstChild.textContent === word) return;
  cell.firstChild.textContent = word;
  cell.firstChild.className = `tag ${loudness(word)}`;
}

/** A number, and below it a word on it: its unit, or whether it is trusted. */
function setTwo(cell, value, word = "") {
  if (!cell.firstChild) cell.append(element("span", {}), " ", element("span", { class: "mode" }));
  for (const [span, text] of [[cell.firstChild, value], [cell.lastChild, word]]) {
    if (span.textContent !== text) span.textContent = text;
  }
}

function showPages({ offset, matched, policies }) {
  $("pages").hidden = matched <= PAGE_SIZE;
  $("range").textContent = `${offset + 1}–${offset + policies.length} of ${matched}`;
  $("previous").disabled = offset === 0;
  $("next").disabled = offset + policies.length >= matched;
  if (!policies.length && offset) { state.offset = 0; setTimeout(refresh); }
}

/** Put children into this order, touching nothing that is already in place: focus stays. */
function arrange(parent, children) {
  const wanted = new Set(children), focused = document.activeElement;
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  children.forEach((child, i) => { if (parent.children[i] !== child) parent.insertBefore(child, parent.children[i] ?? null); });
  if (focused !== document.activeElement && parent.contains(focused)) focused.focus();
}

// ---------------------------------------------------------------- one policy

async function refreshPolicy(asked) {
  const target = state.target, after = state.rows?.time.at(-1) ?? 0;
  const told = await ask("api/policy", { ...target, after });
  if (asked !== state.asked) return null;
  keepRows(told.rows);
  show("policy");
  const { newest } = told;
  const title = `${newest.target.namespace}/${newest.target.name}`;
  document.title = `${title} · Autoscaler`;
  $("policy-title").textContent = title;
  $("sentence").textContent = newest.message;
  showHeldBack(told.held_back);
  showStates(newest);
  showMetrics(newest.signals);
  showFacts(newest);
  showChain(newest);
  showChanges(told.changes);
  chart ??= new Chart($("chart"), showReadout, pressRange);
  chart.unit = unitOf(newest.signals[state.signal]?.metric);
  chart.show(state.rows, told.changes, state.signal, newest.bounds);
  return newest.time;
}

function keepRows(rows) {
  const full = state.rows && state.rows.time.length + (rows.time?.length ?? 0) <= MOST_POINTS;
  if (!full || !rows.time) {
    state.rows = rows.time ? rows : state.rows;
    return;
  }
  for (const name of Object.keys(rows)) state.rows[name] = [...(state.rows[name] ?? []), ...rows[name]];
}

function showStates(newest) {
  const words = [newest.mode, newest.trust, newest.reason];
  $("states").replaceChildren(...words.map((word) => element("span", { class: `tag ${loudness(word)}`, text: word })));
}

function showMetrics(signals) {
  const select = $("metric"), names = signals.slice(0, 4).map((s) => s.metric);
  $("metric-label").hidden = names.length < 2;
  if ([...select.options].map((o) => o.text).join() === names.join()) return;
  select.replaceChildren(...names.map((name, i) => element("option", { value: i, text: name })));
  state.signal = 0;
}

function showFacts(newest) {
  const signal = newest.signals[state.signal], forecast = signal?.forecast, bounds = newest.bounds, capacity = signal?.capacity;
  list($("facts"), [
    ["Ready / ordered", `${number(newest.ready_replicas)} / ${newest.current_replicas}`],
    ["Desired", String(newest.desired_replicas)],
    ["Bounds", bounds ? `${bounds.min_replicas} to ${bounds.max_replicas}` : "–"],
    ["Rate limits now", bounds ? `${bounds.scale_down_limit} to ${bounds.scale_up_limit}` : "–"],
    ["Metric", signal?.metric ?? "–"],
    ["Measured", load(signal?.value, signal?.metric) + (signal?.doubt ? ` (${signal.doubt})` : "")],
    ["Sample age", duration(signal?.age_seconds)],
    ["Carried per pod", capacity ? `${load(capacity.per_pod, signal.metric)} (${capacity.source})` : "–"],
    ["Lead time", duration(forecast?.lead_time_seconds)],
    ["Accepted risk", percent(forecast?.risk)],
    ["Skill over persistence", percent(forecast?.skill)],
    ["Coverage", percent(forecast?.coverage)],
    ["Policy", newest.policy],
  ]);
}

function showChain(newest) {
  const items = newest.signals.map((s) => item(s.metric,
    `forecast asks for ${number(s.predictive_replicas)}, measurement for ${number(s.reactive_replicas)}`));
  items.push(item(newest.recommendation.reason, `recommends ${number(newest.recommendation.replicas)}`));
  items.push(...newest.chain.map((step) => item(step.reason, `${step.from} → ${step.to}${step.detail ? `, ${step.detail}` : ""}`)));
  const did = newest.rescaled ? "written" : newest.not_rescaled_because || "nothing to write";
  items.push(item("Decision", `${newest.current_replicas} → ${newest.desired_replicas}, ${did}`));
  $("chain").replaceChildren(...items);
}

const item = (name, text) => element("li", {}, element("b", { text: name }), `: ${text}`);

function showChanges(changes) {
  $("no-changes").hidden = changes.length > 0;
  const known = new Map([...$("changes").children].map((li) => [li.dataset.key, li]));
  const newestFirst = [...changes].reverse().slice(0, state.allChanges ? undefined : FIRST_CHANGES);
  $("more-changes").hidden = newestFirst.length === changes.length;
  $("more-changes").textContent = `Show all ${changes.length}`;
  arrange($("changes"), newestFirst.map((line) => known.get(line.time) ?? changeItem(line)));
}

function changeItem(line) {
  const details = element("details", {}, element("summary", {},
    element("time", { datetime: line.time, text: `${clock(seconds(line.time), { day: true })} ` }),
    element("b", { text: `${line.current_replicas} → ${line.desired_replicas} ` }),
    `${line.reason}: ${line.message}`));
  details.addEventListener("toggle", () => {
    if (details.open && details.children.length === 1) details.append(element("pre", { tabindex: "0", text: JSON.stringify(line, null, 2) }));
  });
  return element("li", { "data-key": line.time }, details);
}

function showReadout(index) {
  $("readout").setAttribute("aria-live", index === null ? "off" : "polite");
  list($("readout"), readout(chart, index));
}

/** Fill a description list, changing only what is new: a screen reader reads no more than that. */
function list(host, pairs) {
  if (host.children.length !== pairs.length) {
    host.replaceChildren(...pairs.map(() => element("div", {}, element("dt"), element("dd"))));
  }
  pairs.forEach(([term, text], i) => {
    const [dt, dd] = host.children[i].children;
    if (dt.textContent !== term) dt.textContent = term;
    if (dd.textContent !== text) dd.textContent = text;
  });
}

/** Press the button of the time that is shown: none of them is once it was zoomed. */
function pressRange(minutes) {
  for (const button of document.querySelectorAll(".ranges button")) {
    button.setAttribute("aria-pressed", String(button.dataset.minutes === String(minutes)));
  }
}

// ---------------------------------------------------------------- where we are

function show(id) {
  for (const section of ["overview", "policy"]) $(section).hidden = section !== id;
}

function route() {
  const [, page, ...names] = location.hash.split("/");
  const [namespace, name, kind] = names.map(decodeURIComponent);
  state.target = page === "policy" && name ? { namespace, name, kind: kind ?? "Deployment" } : null;
  Object.assign(state, { rows: null, allChanges: false, signal: 0 });
  chart?.leave();
  $("changes").replaceChildren();
  $("main").setAttribute("aria-busy", "true");
  $("back").hidden = !state.target;
  show(null);
  refresh();
}

function choose(changes) {
  Object.assign(state, changes);
  refresh();
}

$("counts").addEventListener("click", (event) => {
  const word = event.target.dataset.word;
  if (word !== undefined) choose({ attention: word, offset: 0 });
});
let typing;
$("q").addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(() => choose({ q: $("q").value.trim(), offset: 0 }), 200); });
$("filter").addEventListener("submit", (event) => { event.preventDefault(); choose({ q: $("q").value.trim(), offset: 0 }); });
$("sort").addEventListener("change", () => choose({ sort: $("sort").value, offset: 0 }));
$("previous").addEventListener("click", () => choose({ offset: Math.max(0, state.offset - PAGE_SIZE) }));
$("next").addEventListener("click", () => choose({ offset: state.offset + PAGE_SIZE }));
$("more-changes").addEventListener("click", () => choose({ allChanges: true }));
$("metric").addEventListener("change", () => choose({ signal: Number($("metric").value) }));
document.querySelector(".ranges").addEventListener("click", (event) => {
  const minutes = event.target.dataset.minutes;
  if (minutes === undefined || !chart) return;
  chart.last(Number(minutes));
});
addEventListener("hashchange", () => { route(); $("main").focus(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
route();
