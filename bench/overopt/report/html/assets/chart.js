/* One chart: lines along KL with labels at their ends, read by pointer and by keyboard. */

const FONT = "12px system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif";
const KL_TICKS = [0, 0.25, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];
const LOG_TICKS = [1, 2, 5];

/*
 * spec.lines: {name, color, x, y, [low, high], [width], [dash], [only: points without a line],
 *              [label: name at its end], [tell(i): words about a point], [key]}; x and y may not
 *              hold null, and lines without `tell` are not read.
 * spec.x: "d" for sqrt(KL) labeled in nats, "log" for a logarithmic axis (y too).
 * spec.limits: [low, high] of y; what lies beyond is marked at the edge.
 * spec.marks: {x, y, color}: peaks. spec.pick(key): what a click or Enter does.
 */
class Chart {
  constructor(host, spec) {
    this.spec = spec;
    this.host = host;
    this.tip = element("p", { class: "tip", hidden: "" });
    this.said = element("p", { class: "hidden", "aria-live": "polite" });
    this.box = element("div", { class: "plot", tabindex: "0", role: "group" });
    this.box.setAttribute("aria-label", spec.title);
    host.replaceChildren(this.box, this.tip, this.said);
    this.place = null; // [line, point] that is read
    this.plot = new uPlot(this.options(), this.join(), this.box);
    this.plot.over.addEventListener("click", () => this.pick());
    this.plot.over.addEventListener("mouseleave", () => this.read(null));
    this.box.addEventListener("keydown", (event) => this.key(event));
    this.box.addEventListener("blur", () => this.read(null));
    this.watch = new ResizeObserver(() => this.fit());
    this.watch.observe(host);
    CHARTS.add(this);
  }

  destroy() {
    CHARTS.delete(this);
    this.watch.disconnect();
    this.plot.destroy();
  }

  redraw() {
    this.plot.redraw(true, true);
  }

  fit() {
    const width = this.host.clientWidth;
    if (width > 0 && width !== this.plot.width) {
      this.plot.setSize({ width, height: this.spec.height });
    }
  }

  /* All lines on the sorted union of their x, with null where a line has no point. */
  join() {
    const xs = [...new Set(this.spec.lines.flatMap((line) => line.x))].sort((a, b) => a - b);
    const at = new Map(xs.map((x, i) => [x, i]));
    const columns = this.spec.lines.map((line) => {
      const column = new Array(xs.length).fill(null);
      line.x.forEach((x, i) => (column[at.get(x)] = line.y[i]));
      return column;
    });
    this.xs = xs;
    this.of = this.spec.lines.map((line) => new Map(line.x.map((x, i) => [at.get(x), i])));
    return [xs, ...columns];
  }

  options() {
    const { spec } = this;
    const log = spec.x === "log";
    const axis = { stroke: () => ink("soft"), font: FONT, ticks: { show: false } };
    const grid = { stroke: () => ink("grid"), width: 1 };
    const right = Math.max(10, ...spec.lines.map((line) => this.room(line)));
    const far = Math.max(...spec.lines.flatMap((line) => line.x), log ? 1 : 0.5);
    const range = spec.limits || [0, 1];
    return {
      width: Math.max(this.host.clientWidth, 120),
      height: spec.height,
      padding: [10, right, 0, 0],
      legend: { show: false },
      scales: {
        x: log ? { time: false, distr: 3 } : { time: false, range: [0, spec.far || far] },
        y: log ? { distr: 3 } : { range: () => range },
      },
      focus: { alpha: 0.45 },
      cursor: {
        x: false,
        y: false,
        drag: { x: false, y: false },
        focus: { prox: 26 },
        points: { one: true, size: 9, width: 2 },
        dataIdx: (plot, series, hovered) => this.nearest(series - 1, hovered),
      },
      axes: [
        { ...axis, grid, size: 30, space: 40, splits: (plot) => this.ticks(plot, "x"),
          values: (plot, at) => at.map((x) => showNats(log || x === null ? x : x * x)) },
        { ...axis, grid, size: 46, space: 36,
          ...(log ? { splits: (plot) => this.ticks(plot, "y") } : {}),
          values: (plot, at) => at.map((y) => showNats(y).replace("-", "−")) },
      ],
      series: [{}, ...spec.lines.map((line) => this.series(line))],
      hooks: {
        drawAxes: [(plot) => this.under(plot)],
        draw: [(plot) => this.over(plot)],
        setSeries: [(plot, series) => this.focus(series)],
        setCursor: [() => this.place && this.focus(this.place[0] + 1)], // along the same line
      },
    };
  }

  series(line) {
    return {
      stroke: () => ink(line.color),
      fill: undefined,
      width: line.only ? 0 : (line.width ?? 1),
      dash: line.dash,
      spanGaps: true,
      paths: line.only ? () => null : undefined,
      points: {
        show: Boolean(line.only || line.dots),
        size: line.only ? 4 : 5,
        width: line.only ? 0 : 1,
        stroke: () => ink(line.color),
        fill: () => ink(line.color),
      },
    };
  }

  room(line) {
    if (!line.label) return 0;
    return Math.min(line.label.length, this.spec.letters || 18) * 6.6 + 14;
  }

  /* Values of KL whose places on the axis leave room for their names. */
  ticks(plot, axis) {
    const { min, max } = plot.scales[axis];
    let wanted = KL_TICKS.map(Math.sqrt);
    if (this.spec.x === "log") {
      wanted = [];
      for (let power = -4; power < 5; power += 1) {
        wanted.push(...LOG_TICKS.map((digit) => digit * 10 ** power));
      }
    }
    const kept = [];
    let last = -Infinity;
    for (const value of wanted.filter((one) => one >= min && one <= max)) {
      const place = Math.abs(plot.valToPos(value, axis));
      if (Math.abs(place - last) >= (axis === "x" ? 30 : 22)) {
        kept.push(value);
        last = place;
      }
    }
    return kept;
  }

  nearest(line, hovered) {
    const there = line < 0 ? null : this.of[line];
    if (!there || !this.spec.lines[line].tell || there.has(hovered)) return hovered;
    const x = this.plot.posToVal(this.plot.cursor.left, "x");
    let best = hovered;
    let apart = Infinity;
    for (const place of there.keys()) {
      const far = Math.abs(this.xs[place] - x);
      if (far < apart) [best, apart] = [place, far];
    }
    return best;
  }

  focus(series) {
    if (series === null || series === undefined || series < 1) return this.read(null);
    const line = series - 1;
    const point = this.of[line].get(this.plot.cursor.idxs[series]);
    return this.read(this.spec.lines[line].tell && point !== undefined ? [line, point] : null);
  }

  /* Shows and says the point that is read. */
  read(place) {
    const changed = (place && place[0]) !== (this.place && this.place[0]);
    this.place = place;
    this.tip.hidden = !place;
    if (changed) this.plot.redraw(false, false);
    if (!place) return;
    const line = this.spec.lines[place[0]];
    const words = line.tell(place[1]);
    this.tip.textContent = words;
    const left = this.plot.valToPos(line.x[place[1]], "x") + this.plot.over.offsetLeft;
    const top = this.plot.valToPos(line.y[place[1]], "y") + this.plot.over.offsetTop;
    const width = this.tip.offsetWidth;
    const room = this.host.clientWidth;
    this.tip.style.left = `${Math.max(0, Math.min(left + 12, room - width - 4))}px`;
    this.tip.style.top = `${Math.max(0, top < 60 ? top + 14 : top - this.tip.offsetHeight - 10)}px`;
  }

  pick() {
    if (this.place && this.spec.pick) this.spec.pick(this.spec.lines[this.place[0]].key);
  }

  /* Arrows left and right follow a line; up and down change to the next line at that KL. */
  key(event) {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    if (event.key === "Enter" && this.place) {
      event.preventDefault();
      this.pick();
    } else if (event.key === "Escape") {
      this.plot.setSeries(null, { focus: true });
      this.read(null);
    } else if (event.key in step) {
      event.preventDefault();
      this.move(...step[event.key]);
      this.said.textContent = this.place ? this.tip.textContent : "";
    }
  }

  move(along, across) {
    const { lines } = this.spec;
    const readable = lines.flatMap((line, i) => (line.tell && line.x.length ? [i] : []));
    if (!readable.length) return;
    let [line, point] = this.place || [readable[readable.length - 1], -1];
    if (!this.place) {
      point = lines[line].x.length - 1;
    } else if (along) {
      point = Math.max(0, Math.min(lines[line].x.length - 1, point + along));
    } else {
      const x = lines[line].x[point];
      const here = readable
        .map((i) => {
          const near = lines[i].x.reduce(
            (best, one, j) => (Math.abs(one - x) < Math.abs(lines[i].x[best] - x) ? j : best), 0);
          return [lines[i].y[near], i, near];
        })
        .sort((a, b) => a[0] - b[0] || a[1] - b[1]);
      const now = here.findIndex(([, i]) => i === line);
      const next = here[Math.max(0, Math.min(here.length - 1, now + across))];
      [, line, point] = next;
    }
    this.plot.setSeries(line + 1, { focus: true }, false);
    this.read([line, point]);
  }

  /* Bands behind the lines. */
  under(plot) {
    const { ctx } = plot;
    this.clipped(plot, () => {
      this.rule(plot, this.spec.x === "log" ? 1 : 0);
      for (const line of this.spec.lines.filter((one) => one.low)) {
        ctx.globalAlpha = 0.14;
        ctx.fillStyle = ink(line.color);
        ctx.beginPath();
        const there = line.x.map((_, i) => i).filter((i) => line.low[i] !== null);
        there.forEach((i) => ctx.lineTo(this.at(line.x[i], "x"), this.at(line.high[i], "y")));
        there.reverse();
        there.forEach((i) => ctx.lineTo(this.at(line.x[i], "x"), this.at(line.low[i], "y")));
        ctx.closePath();
        ctx.fill();
      }
    });
  }

  rule(plot, value) {
    const { ctx, bbox } = plot;
    const y = this.at(value, "y");
    ctx.strokeStyle = ink("soft");
    ctx.lineWidth = devicePixelRatio;
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
  }

  clipped(plot, draw) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    draw();
    ctx.restore();
  }

  at(value, scale) {
    return this.plot.valToPos(value, scale, true);
  }

  /* Peaks, signs for what is off the scale, and names at the ends of lines. */
  over(plot) {
    const { ctx } = plot;
    const unit = devicePixelRatio;
    ctx.save();
    ctx.setLineDash([]); // the last line may have been dashed
    this.clipped(plot, () => {
      for (const mark of this.spec.marks || []) {
        ctx.fillStyle = ink(mark.color);
        ctx.strokeStyle = ink("paper");
        ctx.lineWidth = 1.5 * unit;
        ctx.beginPath();
        ctx.arc(this.at(mark.x, "x"), this.at(mark.y, "y"), 4.5 * unit, 0, 2 * Math.PI);
        ctx.fill();
        ctx.stroke();
      }
    });
    if (this.place) this.clipped(plot, () => this.emphasize(plot, unit));
    if (this.spec.limits) this.spec.lines.forEach((line) => this.edge(plot, line, unit));
    this.names(plot, unit);
    ctx.restore();
  }

  /* The line that is read, in the color of text. */
  emphasize(plot, unit) {
    const { ctx } = plot;
    const line = this.spec.lines[this.place[0]];
    if (line.only) return;
    ctx.strokeStyle = ink("ink");
    ctx.lineWidth = 2 * unit;
    ctx.beginPath();
    line.x.forEach((x, i) => ctx.lineTo(this.at(x, "x"), this.at(line.y[i], "y")));
    ctx.stroke();
  }

  /* A triangle at the edge where a line leaves the scale for its furthest point. */
  edge(plot, line, unit) {
    const { ctx, bbox } = plot;
    const [low, high] = this.spec.limits;
    for (const [beyond, furthest, top] of [
      [line.y.map((y) => y - high), Math.max(...line.y), true],
      [line.y.map((y) => low - y), Math.min(...line.y), false],
    ]) {
      const i = beyond.indexOf(Math.max(...beyond));
      if (!line.x.length || beyond[i] <= 0 || line.only) continue;
      const x = this.at(line.x[i], "x");
      const y = top ? bbox.top : bbox.top + bbox.height;
      const to = (top ? 8 : -8) * unit;
      ctx.fillStyle = ink(line.color);
      ctx.beginPath();
      ctx.moveTo(x, y);
      ctx.lineTo(x - 4.5 * unit, y + to);
      ctx.lineTo(x + 4.5 * unit, y + to);
      ctx.closePath();
      ctx.fill();
      if (line.label) this.write(plot, show(furthest), x - 4 * unit, y + 1.6 * to, "right", unit);
    }
  }

  /* Names beside the last points, moved apart where they would cover each other. */
  names(plot, unit) {
    const { ctx, bbox } = plot;
    const letters = this.spec.letters || 18;
    ctx.font = FONT.replace("12px", `600 ${12 * unit}px`);
    const named = this.spec.lines
      .filter((line) => line.label && line.x.length)
      .map((line) => {
        const text = line.label.length > letters ? `${line.label.slice(0, letters - 1)}…` : line.label;
        const last = line.x.length - 1;
        const y = Math.min(bbox.top + bbox.height, Math.max(bbox.top, this.at(line.y[last], "y")));
        return { text, color: line.color, x: this.at(line.x[last], "x") + 6 * unit, y,
          width: ctx.measureText(text).width };
      })
      .sort((a, b) => a.y - b.y);
    const gap = 14 * unit;
    const meet = (a, b) => a.x < b.x + b.width && b.x < a.x + a.width;
    named.forEach((one, i) => {
      for (const other of named.slice(0, i)) {
        if (meet(one, other) && one.y - other.y < gap) one.y = other.y + gap;
      }
    });
    const bottom = bbox.top + bbox.height;
    for (let i = named.length - 1; i >= 0; i -= 1) {
      named[i].y = Math.min(named[i].y, bottom);
      for (const other of named.slice(i + 1)) {
        if (meet(named[i], other) && other.y - named[i].y < gap) named[i].y = other.y - gap;
      }
    }
    for (const one of named) {
      const color = one.color === "faint" ? "soft" : one.color;
      this.write(plot, one.text, one.x, one.y, "left", unit, color);
    }
  }

  write(plot, text, x, y, side, unit, color = "ink") {
    const { ctx } = plot;
    ctx.font = FONT.replace("12px", `600 ${12 * unit}px`);
    ctx.textAlign = side;
    ctx.textBaseline = "middle";
    ctx.lineJoin = "round";
    ctx.strokeStyle = ink("paper");
    ctx.lineWidth = 3 * unit;
    ctx.strokeText(text, x, y);
    ctx.fillStyle = ink(color);
    ctx.fillText(text, x, y);
  }
}
