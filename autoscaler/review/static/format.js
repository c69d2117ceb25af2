// How a value is written: as in the log, so that a number here can be found there.

/** Six significant digits at most, as in the decision record; unknown is a dash, never 0. */
export function number(value) {
  if (value === null || value === undefined) return "–";
  return String(Number(Number(value).toPrecision(6)));
}

const UNITS = [[/^RequestRate /i, "requests/s"], [/^(Container)?Resource (.* )?cpu$/i, "cores"],
  [/^(Container)?Resource (.* )?memory$/i, "bytes"]];

/** The unit of a metric by what people call it; empty where nobody says. */
export function unitOf(metric) {
  return UNITS.find(([names]) => names.test(metric ?? ""))?.[1] ?? "";
}

/** A load with its unit, where both are known. */
export function load(value, metric) {
  return inUnit(number(value), unitOf(metric));
}

/** Numbers with their unit; what is unknown has none. */
export function inUnit(text, unit) {
  return unit && /\d/.test(text) ? `${text} ${unit}` : text;
}

export function percent(share) {
  return share === null || share === undefined ? "–" : `${number(share * 100)}%`;
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  let rest = Math.round(seconds), text = "";
  for (const [unit, size] of [["d", 86400], ["h", 3600], ["m", 60]]) {
    const whole = Math.floor(rest / size);
    if (whole) text += `${whole}${unit}`;
    rest -= whole * size;
  }
  return rest || !text ? `${text}${rest}s` : text;
}

const two = (n) => String(n).padStart(2, "0");

/** A UTC clock time; with the day where the chart spans more than one. */
export function clock(seconds, { day = false, second = true } = {}) {
  const d = new Date(seconds * 1000);
  const time = `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}` + (second ? `:${two(d.getUTCSeconds())}` : "");
  return day ? `${two(d.getUTCMonth() + 1)}-${two(d.getUTCDate())} ${time}` : time;
}

export const seconds = (iso) => Date.parse(iso) / 1000;

const SEVERE = new Set(["refused", "not found", "contested", "metrics unknown"]);
const WORTH_A_LOOK = new Set(["capped", "forecast stale", "forecast demoted", "Stale", "Demoted"]);

/** How loud a word is shown. */
export function loudness(word) {
  if (SEVERE.has(word)) return "bad";
  if (WORTH_A_LOOK.has(word)) return "warn";
  return word === "calm" || word === "Trusted" ? "good" : "plain";
}
