// How a value is written: short enough to be read; the sentence and the line of the log have all digits.

const LARGE = [["T", 1e12], ["G", 1e9], ["M", 1e6]];

/** Four digits, and every whole one up to six, as in `autoscaler status`; unknown is a dash, never 0. */
export function number(value) {
  if (value === null || value === undefined) return "–";
  const large = LARGE.find(([, size]) => Math.round(Math.abs(value)) >= size);
  if (large) return Number((value / large[1]).toPrecision(4)) + large[0];
  const short = Math.abs(value) < 999.95 ? Number(value).toPrecision(4) : Math.round(value).toPrecision(6);
  return String(Number(short));
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

/** A share in percent, with so many decimals at most. */
export function percent(share, decimals = 4) {
  return share === null || share === undefined ? "–" : `${Number((share * 100).toFixed(decimals))}%`;
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

/** What a change came to: `up` scaled out, `down` scaled in, `held` decided anew and not scaled. */
export function kindOf(change) {
  if (!change.rescaled) return "held";
  return change.desired_replicas > change.current_replicas ? "up" : "down";
}

const SEVERE = new Set(["refused", "not found", "contested", "metrics unknown"]);
const WORTH_A_LOOK = new Set(["capped", "forecast stale", "forecast demoted", "Stale", "Demoted"]);

/** How loud a word is shown. */
export function loudness(word) {
  if (SEVERE.has(word)) return "bad";
  if (WORTH_A_LOOK.has(word)) return "warn";
  return word === "calm" || word === "Trusted" ? "good" : "plain";
}
