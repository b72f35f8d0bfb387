/* Sheets: headers sort, lists and a field for words filter. The event "sheet" tells of a change. */

class Sheet {
  constructor(table) {
    this.table = table;
    this.name = table.dataset.sheet;
    this.body = table.tBodies[0];
    this.rows = [...this.body.rows]; // as written, which is the order of the data
    this.form = document.querySelector(`[data-filters="${this.name}"]`);
    const buttons = [...table.tHead.rows[0].cells].map((cell) => cell.querySelector("button"));
    buttons.forEach((button, column) => button.addEventListener("click", () => this.sort(column)));
    if (this.form) {
      this.form.addEventListener("submit", (event) => event.preventDefault());
      this.form.addEventListener("input", () => this.filter());
      this.filter();
    }
  }

  /* Numbers start with the largest, words with the first; what is missing comes last either way. */
  sort(column) {
    const heads = this.table.tHead.rows[0].cells;
    const numeric = heads[column].classList.contains("n");
    const before = heads[column].getAttribute("aria-sort");
    const start = numeric ? "descending" : "ascending";
    const other = numeric ? "ascending" : "descending";
    const now = before === start ? other : start;
    for (const head of heads) head.setAttribute("aria-sort", "none");
    heads[column].setAttribute("aria-sort", now);
    const sign = now === "ascending" ? 1 : -1;
    const words = new Intl.Collator("en", { numeric: true });
    const value = numeric
      ? (row) => ("v" in row.cells[column].dataset ? Number(row.cells[column].dataset.v) : null)
      : (row) => (row.cells[column].textContent === "–" ? null : row.cells[column].textContent);
    const sorted = this.rows
      .map((row) => [value(row), row])
      .sort(([a], [b]) => {
        if (a === null || b === null) return (a === null) - (b === null);
        return sign * (numeric ? a - b : words.compare(a, b));
      });
    this.body.append(...sorted.map(([, row]) => row));
  }

  filter() {
    const lists = [...this.form.querySelectorAll("select")]
      .filter((list) => list.value)
      .map((list) => [Number(list.dataset.column), list.value.slice(1)]);
    const wanted = this.form.querySelector("input[type=search]").value.trim().toLowerCase();
    let shown = 0;
    for (const row of this.rows) {
      const fits = lists.every(([column, value]) => row.cells[column].textContent === value);
      row.hidden = !(fits && (!wanted || row.textContent.toLowerCase().includes(wanted)));
      shown += !row.hidden;
    }
    const told = `${shown} of ${this.rows.length} rows`;
    this.form.querySelector("output").textContent = told;
    this.table.dispatchEvent(new CustomEvent("sheet"));
  }

  /* Places in the data of the rows that pass the filters. */
  get shown() {
    return this.rows.flatMap((row, place) => (row.hidden ? [] : [place]));
  }
}

const SHEETS = new Map(
  [...document.querySelectorAll("table.sheet")].map((table) => {
    const sheet = new Sheet(table);
    return [sheet.name, sheet];
  }),
);
