// How fresh what is seen is: that decisions still come, or since when they do not, or what went wrong.

import { $, write } from "./elements.js";
import { clock, seconds } from "./format.js";

let freshAt = null;

const moment = (at) => `${clock(seconds(at), { day: true })} UTC`;

/** Tell that the daemon has answered, when it decided what it told, and why that is not live, if so. */
export function calm(at, silence) {
  $("trouble").hidden = true;
  const decided = at ? `decided ${moment(at)}` : "", fresh = at !== freshAt;
  freshAt = at;
  if (silence) live("Not live", `: ${silence}${decided && `; last ${decided}`}`, true);
  else if (!at) live("Waiting for the first reconcile");
  else live("Live", `, ${decided}`);
  if (!fresh || silence || !at) return;
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
