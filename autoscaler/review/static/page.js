// What is shown: all policies, or one, by the address; kept up to date by asking every few seconds.

import { addressOfOverview, placeOf } from "./address.js";
import { $ } from "./elements.js";
import { calm, trouble } from "./freshness.js";
import { Overview } from "./overview.js";
import { Policy } from "./policy.js";

const POLL_MS = 5000, RETRY_MS = 10000;
const overview = new Overview(choose), policy = new Policy(refresh, moved);
let timer, asked = 0;

/** Ask the daemon; an answer that is not 200 is an error with its text. */
async function ask(path, parameters) {
  const answer = await fetch(`${path}?${new URLSearchParams(parameters)}`, { cache: "no-cache" });
  if (!answer.ok) throw Object.assign(new Error((await answer.text()).trim()), { status: answer.status });
  return answer.json();
}

/** Ask for what is to be shown and draw the answer, unless something else was asked for since. */
async function refresh() {
  clearTimeout(timer);
  const mine = ++asked, [shown, id] = policy.target ? [policy, "policy"] : [overview, "overview"];
  let wait = POLL_MS;
  try {
    const answer = await ask(...shown.question());
    if (mine !== asked) return;
    show(id);
    if (shown === overview) showWayBack(null);
    showHeldBack(answer.held_back);
    calm(shown.draw(answer), answer.silence);
  } catch (error) {
    if (mine !== asked) return;
    wait = RETRY_MS;
    trouble(error);
    if (shown === overview && error.status) showWayBack("#/"); // such a filter there is not
  }
  $("main").setAttribute("aria-busy", "false");
  timer = setTimeout(refresh, document.hidden ? 6 * wait : wait);
}

/** Narrow the overview, and the address with it: whoever goes back, or gets the link, sees the same. */
function choose(changes) {
  if (policy.target) return; // chosen a moment before the address changed
  Object.assign(overview.filter, changes);
  moved(addressOfOverview(overview.filter));
  refresh();
}

/** Let the address say what is shown. */
function moved(address) {
  if (location.hash !== address) history.replaceState(null, "", address);
}

function show(id) {
  for (const section of ["overview", "policy"]) $(section).hidden = section !== id;
}

/** Show the link to all policies, as they were narrowed last. */
function showWayBack(address) {
  $("back").hidden = !address;
  if (address) $("way-back").href = address;
}

function showHeldBack(because) {
  $("held-back").hidden = !because;
  $("held-back").textContent = `This replica writes nothing: ${because}.`;
}

function route() {
  const { target, range, filter } = placeOf(location.hash);
  policy.look(target, range);
  if (!target) overview.look(filter);
  showWayBack(target && addressOfOverview(overview.filter));
  $("main").setAttribute("aria-busy", "true");
  show(null);
  refresh();
}

addEventListener("hashchange", () => { route(); $("main").focus(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
route();
