// All policies in a table: asked for by filter, sort and page, and each row drawn where it stands.

import { EVERYTHING, addressOfPolicy } from "./address.js";
import { $, arrange, element, tagged, write } from "./elements.js";
import { duration, load, number, seconds } from "./format.js";
import { sparkline } from "./sparkline.js";

const PAGE_SIZE = 50;

export class Overview {
  /** @param choose told what of the filter was chosen anew */
  constructor(choose) {
    this.choose = choose;
    this.look(EVERYTHING);
    this.listen();
  }

  /** Begin with what the address narrows to; what one can sort by is what can be chosen. */
  look(filter) {
    const sorts = [...$("sort").options].map((option) => option.value);
    this.filter = { ...filter, sort: sorts.includes(filter.sort) ? filter.sort : EVERYTHING.sort };
    $("q").value = this.filter.q;
    $("sort").value = this.filter.sort;
  }

  /** What to ask the daemon: path and parameters. */
  question() {
    return ["api/policies", { ...this.filter, limit: PAGE_SIZE, trend: "hour" }];
  }

  /** Show an answer; returns when it was decided. */
  draw(answer) {
    document.title = "Autoscaler";
    showProblems(answer.policy_problems);
    this.showCounts(answer.counts, answer.total);
    showEmpty(answer);
    showRows(answer.policies);
    this.showPages(answer);
    return answer.at;
  }

  showCounts(counts, total) {
    const { attention } = this.filter;
    const words = Object.entries(counts).map(([word, n]) => [word, `${word} ${n}`]);
    if (attention && !counts[attention]) words.push([attention, `${attention} 0`]);
    const buttons = [["", `all ${total}`], ...words].map(([word, text]) => {
      const found = [...$("counts").children].find((known) => known.dataset.word === word);
      const button = found ?? element("button", { type: "button", "data-word": word });
      write(button, text);
      button.setAttribute("aria-pressed", String(attention === word));
      return button;
    });
    arrange($("counts"), buttons);
  }

  showPages({ offset, matched, policies }) {
    $("pages").hidden = matched <= PAGE_SIZE;
    $("range").textContent = `${offset + 1}–${offset + policies.length} of ${matched}`;
    $("previous").disabled = offset === 0;
    $("next").disabled = offset + policies.length >= matched;
    if (!policies.length && offset) setTimeout(() => this.choose({ offset: 0 }));
  }

  listen() {
    let typing;
    // What was typed is taken along at once: its turn would come a moment later.
    const narrow = (changes) => { clearTimeout(typing); this.choose({ q: $("q").value.trim(), ...changes, offset: 0 }); };
    $("counts").addEventListener("click", (event) => {
      const word = event.target.dataset.word;
      if (word !== undefined) narrow({ attention: word });
    });
    $("q").addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(narrow, 200); });
    $("filter").addEventListener("submit", (event) => { event.preventDefault(); narrow(); });
    $("sort").addEventListener("change", () => narrow({ sort: $("sort").value }));
    $("previous").addEventListener("click", () => this.choose({ offset: Math.max(0, this.filter.offset - PAGE_SIZE) }));
    $("next").addEventListener("click", () => this.choose({ offset: this.filter.offset + PAGE_SIZE }));
  }
}

function showProblems(problems) {
  $("policy-problems").hidden = !problems.length;
  $("policy-problems").replaceChildren(...problems.map((problem) => element("li", { text: problem })));
}

function showEmpty({ total, matched, at }) {
  $("empty").hidden = matched > 0;
  $("policies").hidden = matched === 0;
  $("counts").hidden = $("filter").hidden = total === 0;
  const nothing = at ? "No policy is in force." : "No policy has been decided yet.";
  $("empty").textContent = total > 0 ? "No policy matches. Clear the filter to see all."
    : `${nothing} A policy is a ConfigMap labelled autoscaler/policies: "true"; autoscaler validate checks it.`;
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
  const kind = policy.kind === "Deployment" ? "" : `${policy.kind}, `;
  row.append(element("td", { class: "who", "data-label": "Workload" },
    element("a", { href: addressOfPolicy(policy), text: `${policy.namespace}/${policy.name}` }), element("span", { class: "mode", text: kind + policy.mode })));
  for (const [name, label] of CELLS) row.append(element("td", { class: name, "data-label": label }));
  return row;
}

function fillRow(row, policy) {
  const change = policy.desired_replicas !== policy.current_replicas ? ` → ${policy.desired_replicas}` : "";
  const lead = policy.lead_time_seconds === null ? "" : ` in ${duration(policy.lead_time_seconds)}`;
  const [, state, ready, replicas, bounds, trend, value, forecast, why] = row.cells;
  setState(state, policy);
  write(ready, number(policy.ready_replicas));
  write(replicas, number(policy.current_replicas) + change);
  write(bounds, policy.min_replicas === null ? "–" : `${policy.min_replicas}–${policy.max_replicas}`);
  trend.replaceChildren(...sparkline(policy.trend, policy.metric));
  setTwo(value, ...load(policy.value, policy.metric).split(" "));
  setTwo(forecast, number(policy.forecast) + (policy.forecast === null ? "" : lead), policy.trust);
  write(why, policy.message);
}

/** What it is in, as loud as it is, and below it for how long; calm is worth no time. */
function setState(cell, policy) {
  const lasted = policy.since ? seconds(policy.time) - seconds(policy.since) : 0;
  const since = policy.attention === "calm" ? "" : lasted < 1 ? "just now" : `for ${duration(lasted)}`;
  setTwo(cell, policy.attention, since);
  cell.firstChild.className = tagged(policy.attention);
}

/** A value, and below it a word on it: its unit, or whether it is trusted. */
function setTwo(cell, value, word = "") {
  if (!cell.firstChild) cell.append(element("span", {}), " ", element("span", { class: "mode" }));
  write(cell.firstChild, value);
  write(cell.lastChild, word);
}
