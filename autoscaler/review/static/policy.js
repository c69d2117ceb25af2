// One policy: the chart, what is in force, how the load became a decision, and what has changed.

import { addressOfPolicy } from "./address.js";
import { Chart } from "./chart.js";
import { $, arrange, element, list, tagged } from "./elements.js";
import { clock, duration, kindOf, load, number, percent, seconds, unitOf } from "./format.js";
import { readout } from "./readout.js";

const MOST_POINTS = 6000, FIRST_CHANGES = 20;

export class Policy {
  /**
   * @param refresh called when something else of the policy is to be shown
   * @param moved told the address of what is shown
   */
  constructor(refresh, moved) {
    Object.assign(this, { refresh, moved });
    this.chart = new Chart($("chart"), (index) => this.showReadout(index), (minutes) => this.showRange(minutes));
    this.look(null);
    this.listen();
  }

  /** Begin with a policy by its target, null for none, and a range; null is the one that was chosen last. */
  look(target, range = null) {
    Object.assign(this, { target, rows: null, allChanges: false, signal: 0 });
    this.chart.leave(range);
    $("changes").replaceChildren();
  }

  /** What to ask the daemon: path and parameters; rows that are known already are not asked for, unless they are too many. */
  question() {
    const known = this.rows?.time ?? [];
    return ["api/policy", { ...this.target, after: known.length > MOST_POINTS ? 0 : known.at(-1) ?? 0 }];
  }

  /** Show an answer; returns when it was decided. */
  draw({ newest, ways_out, changes, rows }) {
    this.keepRows(rows);
    const { kind, namespace, name } = newest.target;
    const title = `${kind === "Deployment" ? "" : `${kind}/`}${namespace}/${name}`;
    document.title = `${title} · Autoscaler`;
    $("policy-title").textContent = title;
    $("sentence").textContent = newest.message;
    showWaysOut(ways_out);
    showStates(newest);
    this.showMetrics(newest.signals);
    showFacts(newest, newest.signals[this.signal]);
    showChain(newest);
    this.showChanges(changes);
    this.chart.unit = unitOf(newest.signals[this.signal]?.metric);
    this.chart.show(this.rows, changes, this.signal, newest.bounds);
    return newest.time;
  }

  /** Add rows to those that are known, or begin anew with them: all were asked for, or the daemon's clock was set back. */
  keepRows(rows) {
    if (!rows.time) return;
    if (!this.rows || rows.time[0] <= this.rows.time.at(-1)) this.rows = rows;
    else for (const name of Object.keys(rows)) this.rows[name] = [...(this.rows[name] ?? []), ...rows[name]];
  }

  showMetrics(signals) {
    const select = $("metric"), names = signals.slice(0, 4).map((s) => s.metric);
    $("metric-label").hidden = names.length < 2;
    if ([...select.options].map((o) => o.text).join() === names.join()) return;
    select.replaceChildren(...names.map((name, i) => element("option", { value: i, text: name })));
    this.signal = 0;
  }

  showChanges(changes) {
    $("no-changes").hidden = changes.length > 0;
    const known = new Map([...$("changes").children].map((li) => [li.dataset.key, li]));
    const newestFirst = [...changes].reverse().slice(0, this.allChanges ? undefined : FIRST_CHANGES);
    $("more-changes").hidden = newestFirst.length === changes.length;
    $("more-changes").textContent = `Show all ${changes.length}`;
    arrange($("changes"), newestFirst.map((line) => known.get(line.time) ?? changeItem(line)));
  }

  showRange(minutes) {
    pressRange(minutes);
    if (this.target) this.moved(addressOfPolicy(this.target, this.chart.range()));
  }

  showReadout(index) {
    $("readout").setAttribute("aria-live", index === null ? "off" : "polite");
    list($("readout"), readout(this.chart, index));
  }

  listen() {
    $("more-changes").addEventListener("click", () => { this.allChanges = true; this.refresh(); });
    $("metric").addEventListener("change", () => { this.signal = Number($("metric").value); this.refresh(); });
    document.querySelector(".ranges").addEventListener("click", (event) => {
      const minutes = event.target.dataset.minutes;
      if (minutes !== undefined) this.chart.last(Number(minutes));
    });
  }
}

function showWaysOut(ways) {
  $("ways-out").hidden = !ways.length;
  $("ways-out").replaceChildren(...ways.map((way) => element("li", { text: `What to do: ${way}.` })));
}

function showStates(newest) {
  const words = [newest.mode, newest.trust, newest.reason];
  $("states").replaceChildren(...words.map((word) => element("span", { class: tagged(word), text: word })));
}

function showFacts({ bounds, ...newest }, signal) {
  const forecast = signal?.forecast, capacity = signal?.capacity;
  list($("facts"), [
    ["Ready / ordered", `${number(newest.ready_replicas)} / ${number(newest.current_replicas)}`],
    ["Desired", number(newest.desired_replicas)],
    ["Bounds", bounds ? `${bounds.min_replicas} to ${bounds.max_replicas}` : "–"],
    ["Rate limits now", bounds ? `${bounds.scale_down_limit} to ${bounds.scale_up_limit}` : "–"],
    ["Metric", signal?.metric ?? "–"],
    ["Measured", load(signal?.value, signal?.metric) + (signal?.doubt ? ` (${signal.doubt})` : "")],
    ["Sample age", duration(signal?.age_seconds)],
    ["Carried per pod", capacity ? `${load(capacity.per_pod, signal.metric)} (${capacity.source})` : "–"],
    ["Lead time", duration(forecast?.lead_time_seconds)],
    ["Accepted risk", percent(forecast?.risk)],
    ["Skill over persistence", percent(forecast?.skill, 0)],
    ["Coverage", percent(forecast?.coverage, 2)],
    ["Policy", newest.policy],
  ]);
}

function showChain(newest) {
  const items = newest.signals.map((s) => item(s.metric,
    `forecast asks for ${number(s.predictive_replicas)}, measurement for ${number(s.reactive_replicas)}`));
  items.push(item(newest.recommendation.reason, `recommends ${number(newest.recommendation.replicas)}`));
  items.push(...newest.chain.map((step) => item(step.reason, `${step.from} → ${step.to}${step.detail ? `, ${step.detail}` : ""}`)));
  const did = newest.rescaled ? "written" : newest.not_rescaled_because || "nothing to write";
  items.push(item("Decision", `${fromTo(newest)}, ${did}`));
  $("chain").replaceChildren(...items);
}

const fromTo = (line) => `${number(line.current_replicas)} → ${number(line.desired_replicas)}`;

const item = (name, text) => element("li", {}, element("b", { text: name }), `: ${text}`);

function changeItem(line) {
  const kind = kindOf(line);
  const details = element("details", {}, element("summary", {},
    element("span", { class: `mark key-${kind}` }),
    element("time", { datetime: line.time, text: `${clock(seconds(line.time), { day: true })} ` }),
    element("b", { text: `${fromTo(line)} ` }),
    `${line.reason}: ${line.message}`));
  details.addEventListener("toggle", () => {
    if (details.open && details.children.length === 1) details.append(element("pre", { tabindex: "0", text: JSON.stringify(line, null, 2) }));
  });
  return element("li", { class: kind, "data-key": line.time }, details);
}

/** Press the button of the time that is shown: none of them is once it was zoomed. */
function pressRange(minutes) {
  for (const button of document.querySelectorAll(".ranges button")) {
    button.setAttribute("aria-pressed", String(button.dataset.minutes === String(minutes)));
  }
}
