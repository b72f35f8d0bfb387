/* Gold against sqrt(KL), a panel for each proxy and noise: all methods gray, some colored. */

const SLOTS = 6; // colors there are
const MOST_PANELS = 12;
const NAMED = 3; // most gray lines of a panel that have their names at their ends

/* A stored curve [kl, mean, low, high, seeds] as lines of a chart: dotted where seeds are missing. */
function curveLines(entry, quantity, style) {
  const [kl, mean, low, high, seeds] = entry[quantity === "proxy" ? "proxy_curve" : quantity];
  const x = kl.map(Math.sqrt);
  const partial = seeds.findIndex((count) => count < entry.run);
  const name = `${entry.method}${quantity === "proxy" ? ", proxy" : ""}`;
  const tell = (i) => {
    const bounds = low[i] === null ? "" : ` [${show(low[i])}, ${show(high[i])}]`;
    return `${name} · ${showNats(kl[i])} nats · ${quantity} ${show(mean[i])}${bounds} · ` +
      `${seeds[i]} of ${entry.run} seeds`;
  };
  const cut = (from, to) => ({
    ...style,
    key: entry.method,
    x: x.slice(from, to),
    y: mean.slice(from, to),
    ...(style.band ? { low: low.slice(from, to), high: high.slice(from, to) } : {}),
    tell: (i) => tell(from + i),
  });
  if (partial < 0) return [cut(0, x.length)];
  const whole = cut(0, partial);
  const rest = { ...cut(Math.max(partial - 1, 0), x.length), dash: [2, 3] };
  return partial ? [{ ...whole, label: undefined }, rest] : [rest];
}

class Overlay {
  constructor(host) {
    this.host = host;
    this.sheet = SHEETS.get("methods");
    this.chosen = new Map(); // method to color
    this.panels = [];
    this.toggles = document.querySelector("[data-toggles]");
    this.toggles.addEventListener("input", () => this.draw());
    this.toggles.querySelector("button").addEventListener("click", () => {
      this.chosen.clear();
      this.draw();
    });
    this.sheet.table.addEventListener("sheet", () => this.draw());
    document.addEventListener("click", (event) => {
      const button = event.target.closest("[data-choose]");
      if (button) this.choose(button.dataset.choose);
    });
    this.draw();
  }

  choose(method) {
    if (this.chosen.delete(method)) return this.draw();
    const used = new Set(this.chosen.values());
    let slot = 0;
    while (used.has(slot) && slot < SLOTS - 1) slot += 1;
    this.chosen.set(method, slot);
    return this.draw();
  }

  /* Methods that are colored: those chosen, or those with the highest peaks in the first panel. */
  colored(first) {
    if (this.chosen.size) return this.chosen;
    const best = first
      .filter((entry) => entry.peak)
      .sort((a, b) => b.peak[1] - a.peak[1])
      .slice(0, SLOTS - 1);
    return new Map(best.map((entry, slot) => [entry.method, slot]));
  }

  draw() {
    for (const chart of this.panels) chart.destroy();
    this.panels = [];
    const entries = this.sheet.shown.map((place) => DATA.lines[place]);
    const panels = new Map();
    for (const entry of entries) {
      const key = `${entry.proxy}\n${entry.noise}`;
      panels.set(key, [...(panels.get(key) || []), entry]);
    }
    // the panel with the most methods comes first: there they can be compared
    const ordered = [...panels.values()].sort((a, b) => b.length - a.length);
    const colored = this.colored(ordered.length ? ordered[0] : []);
    const on = (name) => this.toggles.querySelector(`[name=${name}]`).checked;
    const shown = ordered.slice(0, MOST_PANELS);
    this.host.replaceChildren();
    this.host.dataset.panels = shown.length;
    // one panel that holds most methods leads, twice as large
    const leads = shown.length > 4 && shown[0].length > 1.5 * shown[1].length;
    this.host.classList.toggle("lead", leads);
    this.tellChoice(colored, ordered.length - shown.length, entries.length);
    shown.forEach((members, place) => {
      this.panel(members, colored, on, leads && !place ? 1 : shown.length, leads && !place);
    });
    for (const button of document.querySelectorAll("[data-choose]")) {
      const slot = colored.get(button.dataset.choose);
      button.setAttribute("aria-pressed", String(this.chosen.has(button.dataset.choose)));
      button.style.setProperty("--swatch", slot === undefined ? "transparent" : `var(--c${slot})`);
    }
  }

  tellChoice(colored, left, count) {
    const peaks = colored.size === 1 ? "highest peak" : `${colored.size} highest peaks`;
    const panels = left === 1 ? "panel" : "panels";
    const words = this.chosen.size
      ? `Colored: the ${colored.size} chosen.`
      : `Colored: the ${peaks} of gold in the first panel; close ones may be ties. ` +
        "Choose others by their names in the table or by their lines.";
    const more = left > 0 ? ` ${left} more ${panels}: filter by proxy or noise to see them.` : "";
    const none = count ? "" : " No row passes the filters.";
    document.querySelector("[data-told]").textContent = words + more + none;
    this.toggles.querySelector("button").disabled = !this.chosen.size;
  }

  panel(members, colored, on, count, leads) {
    const [first] = members;
    const title = `${first.proxy} · ${DATA.noises[first.noise]}`;
    const host = element("div", { class: "host" });
    this.host.append(element("figure", {}, element("h3", { title }, title), host));
    const lines = [];
    const marks = [];
    const gray = members.filter((entry) => !colored.has(entry.method));
    const bright = members
      .filter((entry) => colored.has(entry.method))
      .sort((a, b) => colored.get(b.method) - colored.get(a.method));
    for (const entry of gray) {
      const label = gray.length <= NAMED ? entry.method : undefined;
      lines.push(...curveLines(entry, "gold", { color: "faint", width: gray.length > 30 ? 0.6 : 1, label }));
    }
    const scale = DATA.scales[`${first.task}\n${first.worlds}`];
    if (on("oracle")) {
      scale.oracles.forEach(([kl, gold], world) => {
        lines.push({ color: "ink", dash: [5, 3], width: 1.3, x: kl.map(Math.sqrt), y: gold,
          label: world ? undefined : "oracle",
          tell: (i) => `oracle · ${showNats(kl[i])} nats · gold ${show(gold[i])}` });
      });
    }
    for (const entry of bright) {
      const color = `c${colored.get(entry.method)}`;
      if (on("proxy")) {
        lines.push(...curveLines(entry, "proxy", { color, width: 1.2, dash: [6, 4] }));
      }
      lines.push(...curveLines(entry, "gold", {
        color, width: 2, label: entry.method, band: on("bands"), dots: bright.length < 3 }));
      if (entry.peak) marks.push({ x: Math.sqrt(entry.peak[0]), y: entry.peak[1], color });
    }
    const kind = `${on("proxy") ? "proxy" : "gold"}${on("oracle") ? "_oracle" : ""}`;
    const names = members.length === 1 ? "1 curve" : `${members.length} curves`;
    this.panels.push(new Chart(host, {
      title: `Gold against the square root of KL, ${title}: ${names}. The same numbers are in the ` +
        "table below. Arrow keys read the points, Enter chooses a method.",
      lines,
      marks,
      far: scale.far,
      limits: on("whole") ? this.whole(lines) : scale.limits[kind],
      height: leads ? 488 : count > 4 ? 230 : count > 1 ? 270 : 380,
      letters: count > 2 ? 12 : 20,
      pick: (method) => method && this.choose(method),
    }));
  }

  whole(lines) {
    const values = lines.flatMap((line) => line.y);
    const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
    const room = 0.06 * (high - low || 1);
    return [low - room, high + room];
  }
}

for (const host of document.querySelectorAll("[data-overlay]")) new Overlay(host);
