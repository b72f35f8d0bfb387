/* What one method's fold shows, drawn when it is opened for the first time. */

const FORM_COLORS = { bon: "c0", rl: "c1" };

function drawFold(fold) {
  const host = fold.querySelector("[data-curves]");
  const data = DATA.folds[host.dataset.curves];
  for (const [place, points, fits] of data.curves) {
    const entry = DATA.lines[place];
    const title = `${entry.proxy} · ${DATA.noises[entry.noise]}${entry.where ? ` · ${entry.where}` : ""}`;
    const box = element("div", { class: "host" });
    host.append(element("figure", {}, element("h4", {}, title), box));
    const lines = points.map(([seed, kl, gold]) => ({
      color: "soft", only: true, x: kl.map(Math.sqrt), y: gold, key: entry.method,
      tell: (i) => `seed ${seed} · ${showNats(kl[i])} nats · gold ${show(gold[i])}`,
    }));
    for (const [form, low, high, gold] of fits) {
      const d = gold.map((_, i) => low + ((high - low) * i) / (gold.length - 1));
      lines.push({ color: FORM_COLORS[form], width: 1.4, x: d, y: gold,
        label: DATA.forms[form][0],
        tell: (i) => `${DATA.forms[form][1]} · ${showNats(d[i] * d[i])} nats · ${show(gold[i])}` });
    }
    lines.push(...curveLines(entry, "proxy", { color: "c2", width: 1.2, dash: [6, 4], label: "proxy" }));
    lines.push(...curveLines(entry, "gold", { color: "ink", width: 2, label: "gold", band: true }));
    new Chart(box, {
      title: `Gold and proxy of ${entry.method}, ${title}, with single seeds and fitted forms. The ` +
        "numbers are in the tables below.",
      lines,
      marks: entry.peak ? [{ x: Math.sqrt(entry.peak[0]), y: entry.peak[1], color: "ink" }] : [],
      far: data.far,
      limits: data.limits,
      height: 240,
      letters: 9,
    });
  }
  const ratios = fold.querySelector("[data-ratios]");
  if (ratios) drawRatios(ratios, DATA.folds[ratios.dataset.ratios].ratios);
}

function drawRatios(host, ratios) {
  const box = element("div", { class: "host" });
  host.append(box);
  new Chart(box, {
    title: "KL estimators as multiples of the one that names the axis, along KL in nats.",
    x: "log",
    lines: ratios.map(([name, short, kl, ratio], i) => ({
      color: `c${i % SLOTS}`, width: 1.6, dots: true, x: kl, y: ratio, label: short,
      tell: (j) => `${name} · ${showNats(kl[j])} nats · ${showNats(ratio[j])} times the axis's`,
    })),
    height: 240,
    letters: 9,
  });
}

/* Two folds at once would be two pages: each draws on its first opening, and links open it. */
for (const fold of document.querySelectorAll("details[data-fold]")) {
  fold.addEventListener("toggle", () => fold.open && drawFold(fold), { once: true });
}

function openTarget() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target && target.matches("details")) target.open = true;
}
addEventListener("hashchange", openTarget);
openTarget();
