// The numbers below the chart: those of the row under the cursor; without one, what is shown in all.

import { clock, duration, inUnit, number } from "./format.js";

/** Return term and text of each number; `index` is the row's, null without a cursor. */
export function readout(chart, index) {
  return index === null ? ofAllShown(chart) : ofRow(chart, index);
}

function ofRow(chart, i) {
  const { rows, hpa, unit } = chart, at = (name) => chart.column(name)[i];
  const carried = rows.ready[i] === null || at("per_pod") == null ? null : rows.ready[i] * at("per_pod");
  return [
    ["Time, UTC", clock(rows.time[i], { day: true })],
    ["Load", inUnit(number(at("value")), unit)],
    [`Forecast in ${duration(at("lead_time_seconds"))}`, inUnit(`${number(at("median"))} to ${number(at("level"))}`, unit)],
    ["Ready pods carry", inUnit(number(carried), unit)],
    ["Ready / ordered", `${number(rows.ready[i])} / ${number(rows.current[i])}`],
    ["Recommended", number(rows.recommended[i])],
    ["Desired", number(rows.desired[i])],
    ["HPA: ready / ordered", `${number(hpa.ready[i])} / ${number(hpa.ordered[i])}`],
    ["Reason", rows.reason[i]],
    ["Trust", rows.trust[i]],
  ];
}

function ofAllShown(chart) {
  const { time, ready, desired } = chart.rows, [from, to] = chart.span();
  const known = (values) => values.filter((value, i) => value != null && time[i] >= from && time[i] <= to);
  return [
    ["Shown, UTC", span(Math.max(from, time[0]), Math.min(to, time.at(-1)))],
    ["Load", inUnit(range(known(chart.column("value"))), chart.unit)],
    ["Ready replicas", range(known(ready))],
    ["Desired replicas", range(known(desired))],
  ];
}

/** From when to when, with the day once where it is the same. */
function span(from, to) {
  const [begin, end] = [from, to].map((t) => clock(t, { day: true })), day = begin.slice(0, 6);
  return `${begin} to ${end.startsWith(day) ? end.slice(6) : end}`;
}

function range(values) {
  if (!values.length) return number(null);
  const [low, high] = [Math.min(...values), Math.max(...values)].map(number);
  return low === high ? low : `${low} to ${high}`;
}
