// The last hour of one policy in a table cell: load, and what the ready pods carry.

import { load, number } from "./format.js";
import { line, steps, svg, titled } from "./paths.js";

const WIDTH = 120, HEIGHT = 34, SPAN_SECONDS = 3600;

/** Return the picture with its words, or nothing before there is a past. */
export function sparkline({ time, load: measured, carried }, metric) {
  const known = measured.filter((value) => value !== null);
  if (time.length < 2 || !known.length) return [];
  const until = time.at(-1), most = Math.max(...measured, ...carried) || 1;
  const x = (t) => WIDTH * (1 - (until - t) / SPAN_SECONDS), y = (value) => 1 + (HEIGHT - 2) * (1 - value / most);
  const told = `${number(Math.min(...known))} to ${load(Math.max(...known), metric)} in the last hour; ready pods carry ${number(carried.at(-1))}`;
  return [svg("svg", { class: "sparkline", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": told },
    titled(told),
    svg("path", { class: "capacity", d: steps(time, carried, x, y) }),
    svg("path", { class: "load", d: line(time, measured, x, y) }))];
}
