// Load against forecast and capacity above, replicas below, one time axis.
// Forecast numbers stand at the moment they are about: when they were made, plus the lead time.

import { clock, kindOf, number } from "./format.js";
import { simulatedHpa } from "./hpa.js";
import { area, closing, label, line, steps, svg, titled } from "./paths.js";

const LEFT = 52, RIGHT = 12, TOP = 18, GAP = 34, BOTTOM = 30; // marks of changes stand between axis and hours
const LOAD_SHARE = 0.58;
const MOST_AHEAD = 3600; // seconds beyond the newest row that may be looked at
const HELD_SHARE = 0.01; // of the time shown: how long what is in force now is drawn beyond the newest row

export class Chart {
  /**
   * @param onCursor told the index of the row under the cursor, null when there is none
   * @param onSpan told how many of the last minutes are shown, 0 for all, null once zoomed
   */
  constructor(host, onCursor, onSpan) {
    Object.assign(this, { host, onCursor, onSpan });
    this.svg = host.appendChild(svg("svg", { "aria-hidden": "true" }));
    this.rows = null;
    this.view = null; // [from, to] in seconds once zoomed; null follows the newest
    this.follow = 3600; // seconds shown while following; 0 = all
    this.cursor = null;
    this.dragFrom = null;
    new ResizeObserver(() => this.draw()).observe(host);
    this.listen();
  }

  show(rows, changes, signal, bounds) {
    Object.assign(this, { rows, changes, signal, bounds });
    this.hpa = this.counterfactual();
    const longAgo = this.view?.[1] <= rows?.time?.[0], toCome = this.view?.[0] >= rows?.time?.at(-1) + MOST_AHEAD;
    if (longAgo || toCome) this.last(this.follow / 60); // nobody knows any more, or yet
    else this.draw();
  }

  last(minutes) {
    this.view = null;
    this.follow = minutes * 60;
    this.onSpan(minutes);
    this.draw();
  }

  /** Forget what was shown: another policy comes, with a range of its own or the one that was followed last. */
  leave(range) {
    Object.assign(this, { rows: null, cursor: null, view: null });
    if (range?.to) this.view = [range.from, range.to];
    else if (range) this.follow = range.last * 60;
    this.onSpan(this.view ? null : this.follow / 60);
  }

  /** Which part of the past is shown, as an address has it. */
  range() {
    if (!this.view) return { last: this.follow / 60 };
    const [from, to] = this.view;
    return { from: Math.floor(from), to: Math.ceil(to) };
  }

  column(name) {
    return this.rows[`${name}.${this.signal}`] ?? [];
  }

  span() {
    const t = this.rows.time, newest = t[t.length - 1];
    if (this.view) return this.view;
    const lead = this.column("lead_time_seconds").at(-1) ?? 0;
    const first = this.follow ? Math.max(t[0], newest - this.follow) : t[0];
    const from = Math.min(first, newest - 60);
    return [from, newest + Math.max(lead, (newest - from) * HELD_SHARE)];
  }

  draw() {
    this.svg.replaceChildren();
    const width = this.host.clientWidth, height = this.host.clientHeight;
    if (!this.rows?.time?.length || !width) return;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const [from, to] = this.span();
    this.until = this.rows.time.at(-1) + (to - from) * HELD_SHARE;
    this.x = (t) => LEFT + (t - from) / (to - from) * (width - LEFT - RIGHT);
    this.t = (x) => from + (x - LEFT) / (width - LEFT - RIGHT) * (to - from);
    const inner = height - TOP - GAP - BOTTOM;
    const load = { top: TOP, height: inner * LOAD_SHARE }, replicas = { top: TOP + inner * LOAD_SHARE + GAP, height: inner * (1 - LOAD_SHARE) };
    this.clip(width, height);
    this.timeAxis(from, to, width, height);
    this.drawLoad(load, from, to, width);
    this.drawReplicas(replicas, from, to, width);
    this.drawMarks(replicas, from, to);
    this.drawNow(width, height);
    this.cursorLine = this.svg.appendChild(svg("line", { class: "cursor", y1: TOP, y2: height - BOTTOM, visibility: "hidden" }));
    this.choice = this.svg.appendChild(svg("rect", { class: "chosen", y: TOP, height: height - TOP - BOTTOM, width: 0 }));
    this.placeCursor();
  }

  clip(width, height) {
    const path = svg("clipPath", { id: "plot" }, svg("rect", { x: LEFT, y: 0, width: width - LEFT - RIGHT, height }));
    this.svg.append(svg("defs", {}, path));
  }

  /** An HPA on this metric, between the bounds in force now. */
  counterfactual() {
    if (!this.rows?.time?.length) return { ordered: [], ready: [] };
    return simulatedHpa({
      time: this.rows.time, value: this.column("value"), perPod: this.column("per_pod"), lead: this.column("lead_time_seconds"),
      first: this.rows.current.find((n) => n !== null) ?? 0, min: this.bounds?.min_replicas ?? 1, max: this.bounds?.max_replicas ?? Infinity,
    });
  }

  /** What these ready pods carry: a number only where both are known. */
  carried(ready) {
    const perPod = this.column("per_pod");
    return ready.map((n, i) => n === null || perPod[i] == null ? null : n * perPod[i]);
  }

  drawLoad(box, from, to, width) {
    const t = this.rows.time, lead = this.column("lead_time_seconds");
    const ahead = t.map((at, i) => at + (lead[i] ?? 0));
    const value = this.column("value"), median = this.column("median"), level = this.column("level");
    const carried = this.carried(this.rows.ready), byHpa = this.carried(this.hpa.ready);
    const most = Math.max(peak(t, value, from, to), peak(ahead, level, from, to), peak(t, carried, from, to), peak(t, byHpa, from, to));
    const y = this.yAxis(box, most, width, this.unit ? `load, ${this.unit}` : "load");
    this.plot("band", area(ahead, level, median, this.x, y));
    this.plot("level", line(ahead, level, this.x, y));
    this.plot("hpa", this.steps(byHpa, y));
    this.plot("capacity", this.steps(carried, y));
    this.plot("load", line(t, value, this.x, y));
  }

  drawReplicas(box, from, to, width) {
    const { time: t, ready, desired } = this.rows;
    const hpa = this.hpa.ordered;
    const most = Math.max(...[ready, desired, hpa].map((n) => peak(t, n, from, to)));
    const y = this.yAxis(box, most, width, "replicas", 1);  // nobody has half a pod
    const zero = ready.map((n) => n === null ? null : 0);
    this.plot("ready", this.steps(ready, y) + closing(t, ready, zero, this.x, y));
    for (const bound of this.bounds ? [this.bounds.min_replicas, this.bounds.max_replicas] : []) {
      if (bound <= y.most) this.plot("bounds", `M${LEFT},${y(bound)}H${width - RIGHT}`);
    }
    this.plot("hpa", this.steps(hpa, y));
    this.plot("desired", this.steps(desired, y));
  }

  /** One mark per change on the axis: ▲ scaled out, ▼ scaled in, ● decided anew, not scaled. */
  drawMarks(box, from, to) {
    const base = box.top + box.height;
    for (const change of this.changes) {
      const at = Date.parse(change.time) / 1000;
      if (at < from || at > to) continue;
      const x = this.x(at), kind = kindOf(change);
      const shape = kind === "held" ? svg("circle", { cx: x, cy: base + 5, r: 2 })
        : svg("path", { d: kind === "up" ? `M${x - 4},${base + 9}h8l-4,-8z` : `M${x - 4},${base + 2}h8l-4,8z` });
      shape.setAttribute("class", kind);
      shape.append(titled(`${clock(at)} ${change.reason}: ${change.message}`));
      this.svg.append(shape);
    }
  }

  /** What stays from one row to the next, and the newest for a little longer: a change just now is a step, too. */
  steps(values, y) {
    const t = this.rows.time;
    return steps(t, values, this.x, y) + (values.at(-1) == null ? "" : `H${this.x(this.until).toFixed(1)}`);
  }

  plot(name, d) {
    this.svg.append(svg("path", { class: name, d, "clip-path": "url(#plot)" }));
  }

  drawNow(width, height) {
    const x = this.x(this.rows.time.at(-1));
    if (x < LEFT || x > width - RIGHT) return;
    this.svg.append(svg("line", { class: "now", x1: x, x2: x, y1: TOP, y2: height - BOTTOM }), label(x, TOP - 6, "now", "middle"));
  }

  yAxis(box, most, width, title, finest = 0) {
    const step = Math.max(finest, niceStep(most / 5)), top = Math.max(step, Math.ceil(most / step) * step);
    const y = (v) => box.top + box.height - v / top * box.height;
    y.most = top;
    for (let v = 0; v <= top * 1.001; v += step) {
      this.svg.append(svg("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(v), y2: y(v) }));
      this.svg.append(label(LEFT - 6, y(v) + 4, number(v), "end"));
    }
    const heading = label(LEFT, box.top - 6, title, "start");
    heading.setAttribute("class", "title");
    this.svg.append(heading);
    return y;
  }

  timeAxis(from, to, width, height) {
    this.svg.append(label(2, height - 6, "UTC", "start"));
    const room = Math.max(2, Math.floor((width - LEFT - RIGHT) / 90));
    const step = TIME_STEPS.find((s) => (to - from) / s <= room) ?? 7 * 86400;
    for (let t = Math.ceil(from / step) * step; t <= to; t += step) {
      const text = clock(t, { day: step >= 86400 / 2, second: step < 60 });
      const half = 3.5 * text.length; // pixels, about; beside UTC, and within the picture, or not at all
      if (this.x(t) - half > 28 && this.x(t) + half < width) this.svg.append(label(this.x(t), height - 6, text, "middle"));
      this.svg.append(svg("line", { class: "grid", x1: this.x(t), x2: this.x(t), y1: height - BOTTOM, y2: height - BOTTOM + 4 }));
    }
  }

  nearest(t) {
    const times = this.rows.time;
    let low = 0, high = times.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (times[middle] <= t) low = middle; else high = middle;
    }
    return t - times[low] <= times[high] - t ? low : high;
  }

  placeCursor() {
    const at = this.cursor === null ? undefined : this.rows.time[this.cursor];
    const shown = at !== undefined && this.x(at) >= LEFT;
    this.cursorLine.setAttribute("visibility", shown ? "visible" : "hidden");
    if (shown) for (const end of ["x1", "x2"]) this.cursorLine.setAttribute(end, this.x(at));
    this.onCursor(at === undefined ? null : this.cursor);
  }

  moveTo(index) {
    this.cursor = index === null ? null : Math.max(0, Math.min(this.rows.time.length - 1, index));
    this.placeCursor();
  }

  zoom(factor) {
    const [from, to] = this.span();
    const centre = this.cursor === null ? (from + to) / 2 : this.rows.time[this.cursor];
    this.look(centre - (centre - from) * factor, centre + (to - centre) * factor);
  }

  look(from, to) {
    const t = this.rows.time;
    if (to - from < 60) return;
    this.view = [Math.max(from, t[0]), Math.min(to, t.at(-1) + MOST_AHEAD)];
    this.onSpan(null);
    this.draw();
  }

  listen() {
    const within = (event) => event.clientX - this.host.getBoundingClientRect().left;
    this.host.addEventListener("pointerdown", (event) => { if (this.rows) this.dragFrom = within(event); });
    this.host.addEventListener("pointermove", (event) => this.hover(within(event)));
    this.host.addEventListener("pointerup", (event) => this.drop(within(event)));
    this.host.addEventListener("pointerleave", () => { this.dragFrom = null; this.choice?.setAttribute("width", 0); });
    this.host.addEventListener("keydown", (event) => this.key(event));
  }

  hover(x) {
    if (!this.rows?.time?.length) return;
    this.moveTo(this.nearest(this.t(x)));
    if (this.dragFrom === null) return;
    this.choice.setAttribute("x", Math.min(x, this.dragFrom));
    this.choice.setAttribute("width", Math.abs(x - this.dragFrom));
  }

  drop(x) {
    const from = this.dragFrom;
    this.dragFrom = null;
    if (from === null || !this.rows?.time?.length) return;
    this.choice.setAttribute("width", 0);
    if (Math.abs(x - from) > 8) this.look(...[this.t(from), this.t(x)].sort((a, b) => a - b));
  }

  key(event) {
    if (!this.rows?.time?.length) return;
    const here = this.cursor ?? this.rows.time.length;
    const actions = {
      ArrowLeft: () => this.moveTo(here - (event.shiftKey ? 20 : 1)),
      ArrowRight: () => this.moveTo(here + (event.shiftKey ? 20 : 1)),
      Home: () => this.moveTo(0),
      End: () => this.moveTo(this.rows.time.length - 1),
      "+": () => this.zoom(0.5), "=": () => this.zoom(0.5), "-": () => this.zoom(2),
      Escape: () => { this.moveTo(null); this.last(0); },
    };
    if (!actions[event.key]) return;
    event.preventDefault();
    actions[event.key]();
  }
}

const TIME_STEPS = [15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];

function niceStep(raw) {
  if (!(raw > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  return power * [1, 2, 5, 10].find((m) => raw <= m * power);
}

function peak(t, values, from, to) {
  let most = 0;
  for (let i = 0; i < t.length; i++) if (t[i] >= from && t[i] <= to && values[i] > most) most = values[i];
  return most;
}
