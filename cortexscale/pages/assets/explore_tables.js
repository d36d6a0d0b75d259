// Beneath the plot: the card of one mark, the laws in numbers, and every point in a table that sorts and downloads.

const FIRST_ROWS = 100;
let order = { column: 5, descending: true }; // by score
let wholeTable = false;

function element(tag, content, attributes = {}) {
  const node = document.createElement(tag);
  node.append(content);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

function drawCard(row, view) {
  document.getElementById("card-title").textContent = row ? row.id : "What a mark is";
  document.getElementById("card-hint").hidden = Boolean(row);
  const facts = row ? cardOf(row, view) : [];
  document.querySelector("#card dl").replaceChildren(
    ...facts.map(([word, value]) => {
      const line = element("div", element("dt", word));
      line.append(element("dd", value));
      return line;
    }),
  );
}

// ---------------------------------------------------------------------------------------------------- laws

function power(value) {
  const exponent = Math.round(Math.log10(value));
  if (exponent === 1) return "10";
  return "10" + [...String(exponent)].map((digit) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(digit)]).join("");
}

function equation(law, symbol) {
  const x = law.x_scale === 1 ? symbol : `${symbol}/${power(law.x_scale)}`;
  if (law.tau_raw !== null) {
    const fall = Math.exp(law.ln_A - law.alpha * law.lambda * Math.LN10);
    return `S ≈ ${short(law.E, 3)} − ${short(fall, 3)} exp(−${symbol}/${short(law.tau_raw, 3)})`;
  }
  const base = law.lambda === null ? `(${x})` : `(${x} + ${short(10 ** law.lambda, 3)})`;
  return `S = ${short(law.E, 3)} − ${short(Math.exp(law.ln_A), 3)} ${base}^−${short(law.alpha, 3)}`;
}

/** A constant with its 95 % interval, after one function is applied to all three numbers. */
function interval(law, name, of = (value) => value) {
  const [value, low, high] = ["", "_low", "_high"].map((end) => law[name + end]);
  if (value === null || (law.tau_raw !== null && name !== "E")) return "–";
  const [between, and] = [low, high].map((end) => (end === null ? "" : short(of(end), 3)));
  return `${short(of(value), 3)} [${between}, ${and}]`;
}

function drawLaws(laws, view) {
  const note = document.getElementById("laws-note");
  const table = document.getElementById("laws");
  if (!laws.length) {
    note.textContent = view.roi ? "Laws are fitted to benchmarks, not to single ROIs." : "No law was fitted to this choice.";
    table.replaceChildren();
    return;
  }
  const { bootstraps, bootstrap_unit: unit } = laws[0];
  note.textContent =
    `S = E − A (x + 10^λ)^−α with x in the unit of the equation; without λ where the form has no offset. ` +
    `In brackets and bands: 95 % of ${short(bootstraps)} bootstraps by ${unit}. Curves are dotted beyond the points shown.`;
  const head = element("thead", headRow(["Family", "Benchmark", "Points", "Law", "E", "A", "α", "λ", "Remarks"]));
  const body = document.createElement("tbody");
  for (const law of laws) {
    const row = document.createElement("tr");
    const cells = [law.family, law.benchmark, short(law.n), equation(law, view.axis.symbol), interval(law, "E")];
    cells.push(interval(law, "ln_A", Math.exp), interval(law, "alpha"), interval(law, "lambda"), law.warnings);
    row.append(...cells.map((cell, place) => element("td", cell, place === 3 ? { class: "equation" } : {})));
    body.append(row);
  }
  table.replaceChildren(head, body);
}

function headRow(names) {
  const row = document.createElement("tr");
  row.append(...names.map((name) => element("th", name, { scope: "col" })));
  return row;
}

// ---------------------------------------------------------------------------------------------------- points

/** Columns of the table: a title, the value of a row, and how it is written. */
function columnsOf(view) {
  return [
    ["Name", (row) => row.id],
    [view.part.family.label, (row) => row.family],
    [view.part.source.label, (row) => row.source],
    ["Benchmark", (row) => (row.roi ? `${row.benchmark}, ${row.roi}` : row.benchmark)],
    [view.axis.label, (row) => row.x, short],
    [DATA.metrics[view.metric], (row) => row.score, (score) => score.toFixed(4)],
    ["Law", (row) => (row.fitted ? "fitted" : "held out")],
    ["Distance to the law of all", (row) => row.distance, (distance) => (distance === null ? "" : distance.toFixed(4))],
  ];
}

function sorted(rows, view) {
  const value = columnsOf(view)[order.column][1];
  const turn = order.descending ? -1 : 1;
  return rows.toSorted((one, other) => {
    const [a, b] = [value(one), value(other)];
    if (a === null || b === null) return (a === null) - (b === null); // unknown values come last
    return turn * (typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true }));
  });
}

function drawPoints(rows, view, pin) {
  const columns = columnsOf(view);
  const head = document.createElement("tr");
  columns.forEach(([title], place) => {
    const button = element("button", title, { type: "button" });
    button.addEventListener("click", () => {
      order = { column: place, descending: order.column === place ? !order.descending : false };
      drawPoints(rows, view, pin);
      document.querySelectorAll("#points th button")[place].focus();
    });
    const direction = order.descending ? "descending" : "ascending";
    head.append(element("th", button, { scope: "col", "aria-sort": order.column === place ? direction : "none" }));
  });
  const body = document.createElement("tbody");
  const listed = sorted(rows, view).slice(0, wholeTable ? rows.length : FIRST_ROWS);
  for (const row of listed) {
    const line = document.createElement("tr");
    columns.forEach(([, value, written = String], place) => {
      const text = written(value(row));
      if (place > 0) return line.append(element("td", text, place === 4 || place === 5 || place === 7 ? { class: "number" } : {}));
      const button = element("button", text, { type: "button" });
      button.addEventListener("click", () => pin(row));
      line.append(element("td", button));
    });
    body.append(line);
  }
  document.getElementById("points").replaceChildren(element("thead", head), body);
  const more = document.getElementById("more");
  more.hidden = rows.length <= FIRST_ROWS;
  more.textContent = wholeTable ? `Show the first ${FIRST_ROWS} rows` : `Show all ${short(rows.length)} rows`;
  more.onclick = () => {
    wholeTable = !wholeTable;
    drawPoints(rows, view, pin);
  };
  document.getElementById("download").onclick = () => download(sorted(rows, view), view);
}

/** Save the rows in the order of the table, with the card of each. */
function download(rows, view) {
  const quoted = (value) => (/[",\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
  const card = Object.entries(view.part.card);
  const titles = ["id", "family", "source", "benchmark", "roi", view.axis.name, view.metric, "fitted", "distance", ...card.map(([title]) => title)];
  const lines = rows.map((row) => [
    row.id, row.family, row.source, row.benchmark, row.roi, row.x, row.score.toFixed(4), row.fitted, row.distance?.toFixed(4),
    ...card.map(([, values]) => values[row.item]),
  ]);
  const text = [titles, ...lines].map((line) => line.map((value) => quoted(String(value ?? ""))).join(",")).join("\n") + "\n";
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = `${[DATA.study, view.axis.name, view.metric, view.benchmark.replace(EVERY, "benchmarks")].join("_")}.csv`;
  link.click();
  URL.revokeObjectURL(link.href);
}
