// Values over time as SVG: elements, and what goes into the `d` of a path.

const SVG = "http://www.w3.org/2000/svg";

export function svg(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

export function titled(text) {
  const made = svg("title");
  made.textContent = text;
  return made;
}

export function label(x, y, text, anchor) {
  const made = svg("text", { x, y, "text-anchor": anchor });
  made.textContent = text;
  return made;
}

/** A line with a gap wherever the value is unknown. */
export function line(t, values, x, y) {
  let d = "", pen = "M";
  for (let i = 0; i < t.length; i++) {
    if (values[i] == null) { pen = "M"; continue; }
    d += `${pen}${x(t[i]).toFixed(1)},${y(values[i]).toFixed(1)}`;
    pen = "L";
  }
  return d;
}

export function steps(t, values, x, y) {
  let d = "", pen = "M";
  for (let i = 0; i < t.length; i++) {
    if (values[i] == null) { pen = "M"; continue; }
    const at = x(t[i]).toFixed(1), height = y(values[i]).toFixed(1);
    d += pen === "M" ? `M${at},${height}` : `H${at}V${height}`;
    pen = "L";
  }
  return d;
}

/** The way back along the floor, which turns a line into a filled area. */
export function closing(t, values, floor, x, y) {
  const last = values.findLastIndex((v) => v != null), first = values.findIndex((v) => v != null);
  return first < 0 ? "" : `V${y(floor[last])}H${x(t[first]).toFixed(1)}Z`;
}

export function area(t, upper, lower, x, y) {
  let d = "", from = 0;
  for (let i = 0; i <= t.length; i++) {
    if (i < t.length && upper[i] != null && lower[i] != null) continue;
    if (i > from) {
      const there = line(t.slice(from, i), upper.slice(from, i), x, y);
      const back = line(t.slice(from, i).reverse(), lower.slice(from, i).reverse(), x, y);
      d += `${there}L${back.slice(1)}Z`;
    }
    from = i + 1;
  }
  return d;
}
