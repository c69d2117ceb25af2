// Where we are, as the address says it: a link shows what its sender saw.
//   #/?q=api/&attention=capped&sort=name&offset=50      all policies; what is left out is not narrowed
//   #/policy/shop/checkout/Deployment?last=360          one, and the minutes of it that are shown (0: all)
//   #/policy/shop/checkout/Deployment?from=...&to=...   or the span, in unix seconds

export const EVERYTHING = { q: "", attention: "", sort: "attention", offset: 0 };

/** Return the policy that an address names and the range of it, null for none, and what it narrows the overview to. */
export function placeOf(hash) {
  const [path, query = ""] = hash.replace(/^#/, "").split(/\?(.*)/s);
  const [, page, namespace, name, kind] = path.split("/").map(decoded);
  const target = page === "policy" && name ? { namespace, name, kind: kind || "Deployment" } : null;
  const asked = Object.fromEntries(new URLSearchParams(query));
  const { q, attention, sort } = { ...EVERYTHING, ...asked };
  return { target, range: rangeOf(asked), filter: { q, attention, sort, offset: /^\d{1,9}$/.test(asked.offset) ? Number(asked.offset) : 0 } };
}

function rangeOf({ last, from, to }) {
  if (/^\d{1,6}$/.test(last)) return { last: Number(last) };
  const span = [from, to].every((at) => /^\d{1,11}$/.test(at)) && to - from >= 60;
  return span ? { from: Number(from), to: Number(to) } : null;
}

export function addressOfPolicy({ namespace, name, kind }, range = {}) {
  const shown = new URLSearchParams(range).toString();
  return `#/policy/${[namespace, name, kind].map(encodeURIComponent).join("/")}${shown && `?${shown}`}`;
}

export function addressOfOverview(filter) {
  const narrowed = Object.entries(filter).filter(([name, value]) => value !== EVERYTHING[name]);
  return narrowed.length ? `#/?${new URLSearchParams(narrowed)}` : "#/";
}

/** What somebody typed may be no encoding at all; then it is meant as it stands. */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
