// What an HPA would have done with the load that was measured, with pods of its own:
// autoscaling/v2 by AverageValue at this policy's target, default behavior, default tolerance.
// A test holds it equal to the HPA that `autoscaler replay` plays.

const TOLERANCE = 0.1, DOWN_WINDOW = 300, PERIOD = 15, JITTER = 1, EPSILON = 1e-9;

/**
 * Play an HPA over rows, oldest first. It begins with the pods that stood then; unknown load holds.
 * Returns at each row what it has ordered, and how much of that serves: `lead` seconds later.
 */
export function simulatedHpa({ time, value, perPod, lead, first, min, max }) {
  const ordered = [], ready = [], recommended = [[time[0], first]];
  let replicas = first, startup = 0, from = 0, before = -1;
  for (let i = 0; i < time.length; i++) {
    if (value[i] != null && perPod[i] > 0) {
      const wanted = recommendation(value[i], perPod[i], replicas);
      recommended.push([time[i], wanted]);
      while (time[i] - recommended[0][0] >= DOWN_WINDOW) recommended.shift();
      while (before + 1 < i && time[before + 1] <= time[i] - PERIOD + JITTER) before++;
      const limit = scaleUpLimit(before < 0 ? first : ordered[before], i ? time[i] - time[i - 1] : PERIOD);
      const kept = Math.min(replicas, Math.max(...recommended.map(([, n]) => n)));
      replicas = Math.min(Math.max(Math.min(Math.max(wanted, kept), limit), min), max);
    }
    ordered.push(replicas);
    startup = lead[i] ?? startup;
    while (time[i] - time[from] > startup) from++;
    const atFirst = time[i] - time[0] < startup ? [first] : [];
    ready.push(Math.min(...atFirst, ...ordered.slice(from, i + 1)));
  }
  return { ordered, ready };
}

function recommendation(load, perPod, replicas) {
  const ratio = load / (perPod * replicas);
  return Math.abs(ratio - 1) <= TOLERANCE ? replicas : Math.ceil(load / perPod - EPSILON);
}

/** Four pods or twice as many as 15 s before; rows farther apart stand for several such periods. */
function scaleUpLimit(replicas, seconds) {
  for (let period = Math.max(1, Math.round(seconds / PERIOD)); period > 0; period--) replicas = Math.max(replicas + 4, 2 * replicas);
  return replicas;
}
