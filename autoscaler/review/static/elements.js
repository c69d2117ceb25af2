// Elements of the page: found, made, filled and put in order, touching only what is new.
// Focus stays where it is, and a screen reader reads no more than what has changed.

import { loudness } from "./format.js";

export const $ = (id) => document.getElementById(id);

/** Make an element: its text is text, whatever a name contains. */
export function element(name, { text, ...attributes } = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  made.append(...children);
  return made;
}

/** The class of a word as loud as it is. The word itself says it all: colour is never the only sign. */
export const tagged = (word) => `tag ${loudness(word)}`;

/** Write a text where another one stands. */
export function write(host, text) {
  if (host.textContent !== text) host.textContent = text;
}

/** Put children into this order, touching nothing that is already in place. */
export function arrange(parent, children) {
  const wanted = new Set(children), focused = document.activeElement;
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  children.forEach((child, i) => { if (parent.children[i] !== child) parent.insertBefore(child, parent.children[i] ?? null); });
  if (focused !== document.activeElement && parent.contains(focused)) focused.focus();
}

/** Fill a description list. */
export function list(host, pairs) {
  if (host.children.length !== pairs.length) {
    host.replaceChildren(...pairs.map(() => element("div", {}, element("dt"), element("dd"))));
  }
  pairs.forEach(([term, text], i) => {
    const [dt, dd] = host.children[i].children;
    write(dt, term);
    write(dd, text);
  });
}
