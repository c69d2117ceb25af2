// What is shown: all policies, or one, by the address; kept up to date by asking every few seconds.

import { $ } from "./elements.js";
import { calm, trouble } from "./freshness.js";
import { Overview } from "./overview.js";
import { Policy } from "./policy.js";

const POLL_MS = 5000, RETRY_MS = 10000;
const overview = new Overview(choose), policy = new Policy(refresh);
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
    showHeldBack(answer.held_back);
    calm(shown.draw(answer), answer.silence);
  } catch (error) {
    if (mine !== asked) return;
    wait = RETRY_MS;
    trouble(error);
  }
  $("main").setAttribute("aria-busy", "false");
  timer = setTimeout(refresh, document.hidden ? 6 * wait : wait);
}

function choose(changes) {
  Object.assign(overview.filter, changes);
  refresh();
}

function show(id) {
  for (const section of ["overview", "policy"]) $(section).hidden = section !== id;
}

function showHeldBack(because) {
  $("held-back").hidden = !because;
  $("held-back").textContent = `This replica writes nothing: ${because}.`;
}

function route() {
  const [, page, ...names] = location.hash.split("/");
  const [namespace, name, kind] = names.map(decodeURIComponent);
  policy.look(page === "policy" && name ? { namespace, name, kind: kind ?? "Deployment" } : null);
  $("main").setAttribute("aria-busy", "true");
  $("back").hidden = !policy.target;
  show(null);
  refresh();
}

addEventListener("hashchange", () => { route(); $("main").focus(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
route();
