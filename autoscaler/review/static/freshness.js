// How fresh what is seen is: that decisions still come, or since when they do not, or what went wrong.

import { $, write } from "./elements.js";
import { clock, duration, seconds } from "./format.js";

const STALE_MS = 60000; // four cycles without a new decision are worth a word
let freshAt = null, freshSince = 0;

const moment = (at) => `${clock(seconds(at), { day: true })} UTC`;

/** Tell that the daemon has answered, and when it decided what it told. */
export function calm(at) {
  $("trouble").hidden = true;
  if (!at) { live("Waiting for the first reconcile"); return; }
  const decided = `decided ${moment(at)}`, fresh = at !== freshAt;
  if (fresh) { freshAt = at; freshSince = performance.now(); }
  const still = performance.now() - freshSince;
  if (still < STALE_MS) live("Live", `, ${decided}`);
  else live("No new decision", ` for ${duration(Math.floor(still / 60000) * 60)}; last ${decided}`, true);
  if (!fresh) return;
  $("live").classList.add("fresh");
  setTimeout(() => $("live").classList.remove("fresh"), 1000);
}

/** Tell that it has not, or not what it was asked. */
export function trouble(error) {
  const seen = document.querySelector("main section:not([hidden])");
  const known = freshAt && seen ? ` What you see is from ${moment(freshAt)}.` : "";
  const what = error.status ? `The autoscaler answered: ${error.message}.` : "The autoscaler does not answer; trying again.";
  $("trouble").textContent = what + known;
  $("trouble").hidden = false;
  live("Not live", "", true);
}

/** A screen reader is told when the word changes, and not every new time. */
function live(word, rest = "", stale = false) {
  const [status, time] = $("live").children;
  write(status, word);
  write(time, rest);
  $("live").classList.toggle("stale", stale);
}
