// The plot: marks by series, crosses for what is held out, laws with their bands.

const MARKS = [
  ["circle", "●"], ["square", "■"], ["triangle-up", "▲"], ["diamond", "◆"], ["triangle-down", "▼"],
  ["star", "★"], ["triangle-right", "▶"], ["triangle-left", "◀"], ["hexagram", "✶"],
];
const HELD_OUT = ["x", "✕"];
const PALETTE = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#7a3e00", "#56b4e9", "#e69f00", "#6a0572", "#5a6675"];
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const touch = window.matchMedia("(pointer: coarse)");
const plot = document.getElementById("plot");

function css(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** A colour that is visible on the present background: on a dark one it is made paler until it is bright enough. */
function readable(colour) {
  const [wanted, most] = [120, 255];
  const rgb = [1, 3, 5].map((start) => parseInt(colour.slice(start, start + 2), 16));
  const bright = 0.3 * rgb[0] + 0.59 * rgb[1] + 0.11 * rgb[2];
  if (!dark.matches || bright > wanted) return colour;
  const share = (wanted - bright) / (most - bright);
  return "#" + rgb.map((part) => Math.round(part + share * (most - part)).toString(16).padStart(2, "0")).join("");
}

function look(series, names) {
  const place = names.indexOf(series);
  const mark = MARKS[place % MARKS.length];
  if (series === ALL || series === DATA.benchmarks.average) return { colour: css("--ink"), mark };
  return { colour: readable(DATA.colours[series] ?? PALETTE[place % PALETTE.length]), mark };
}

function escaped(text) {
  return String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;");
}

/** The description of a mark, as pairs of a name and a value. */
function cardOf(row, view) {
  const facts = [
    [view.part.family.label, row.family],
    [view.part.source.label, row.source],
    ["Benchmark", row.roi ? `${row.benchmark}, ${row.roi}` : row.benchmark],
    [DATA.metrics[view.metric], row.score.toFixed(4)],
    [view.axis.label, short(row.x)],
    ["Law", row.fitted ? "fitted to it" : "held out"],
  ];
  if (row.distance !== null) facts.push(["Distance to the law of all", row.distance.toFixed(4)]);
  for (const [label, values] of Object.entries(view.part.card)) {
    if (values[row.item] !== null && label !== view.axis.label) facts.push([label, short(values[row.item])]);
  }
  return facts;
}

function marks(rows, view, names) {
  const groups = Map.groupBy(rows, (row) => `${row.fitted} ${row.series}`);
  return [...groups.values()].map((group) => {
    const { series, fitted } = group[0];
    const { colour, mark } = look(series, names);
    return {
      type: "scatter",
      mode: "markers",
      x: group.map((row) => row.x),
      y: group.map((row) => row.score),
      rows: group,
      text: group.map((row) =>
        [`<b>${escaped(row.id)}</b>`, ...cardOf(row, view).map(([word, value]) => `${escaped(word)}: ${escaped(value)}`)].join("<br>"),
      ),
      hovertemplate: "%{text}<extra></extra>",
      marker: { symbol: fitted ? mark[0] : HELD_OUT[0], color: colour, size: fitted ? 7 : 9, opacity: fitted ? 0.65 : 0.9 },
    };
  });
}

function curves(laws, rows, names) {
  const opacity = laws.length > 4 ? "14" : "2b"; // many bands lie over each other
  const last = rows.reduce((most, row) => Math.max(most, row.x), 0);
  return laws.flatMap((law) => {
    const { colour } = look(law.series, names);
    const seen = law.x.findLastIndex((x) => x <= last) + 1;
    const quiet = { type: "scatter", mode: "lines", hoverinfo: "skip" };
    return [
      {
        ...quiet,
        x: [...law.x, ...law.x.toReversed()],
        y: [...law.high, ...law.low.toReversed()],
        fill: "toself",
        fillcolor: colour + opacity,
        line: { width: 0 },
      },
      { ...quiet, x: law.x.slice(0, seen), y: law.score.slice(0, seen), line: { color: colour, width: 2.5, simplify: false } },
      { ...quiet, x: law.x.slice(Math.max(seen - 1, 0)), y: law.score.slice(Math.max(seen - 1, 0)), line: { color: colour, width: 2.5, simplify: false, dash: "dot" } },
    ];
  });
}

function drawPlot(view, rows, laws, pinned) {
  const names = allSeries(view);
  const ink = css("--ink");
  const scores = [...rows.map((row) => row.score), ...laws.flatMap((law) => law.score)];
  const [low, high] = [Math.min(...scores), Math.max(...scores)];
  const room = 0.06 * (high - low) || 0.05;
  const wide = [...rows.map((row) => row.x), ...laws.flatMap((law) => law.x)];
  const decades = Math.log10(Math.max(...wide) / Math.min(...wide));
  const ticks = view.scale === "log" ? { dtick: decades > 2.5 ? Math.ceil(decades / 8) : "D2" } : {};
  const line = { gridcolor: css("--line"), zeroline: false, linecolor: css("--soft"), ticks: "outside", automargin: true };
  const layout = {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: ink, size: 13, family: "system-ui, sans-serif" },
    margin: { l: 55, r: 10, t: 10, b: 50 },
    showlegend: false,
    hovermode: "closest",
    hoverlabel: { align: "left", bgcolor: css("--panel"), bordercolor: css("--soft"), font: { color: ink, size: 12 } },
    dragmode: touch.matches ? false : "zoom", // a drag on a phone scrolls the page
    xaxis: { ...line, type: view.scale, title: { text: view.axis.label }, exponentformat: "power", ...ticks },
    yaxis: { ...line, title: { text: DATA.metrics[view.metric] }, range: rows.length ? [low - room, high + room] : undefined },
  };
  const ring = { symbol: "circle-open", color: ink, size: 17, line: { width: 2.5 } };
  const chosen = pinned ? [{ type: "scatter", x: [pinned.x], y: [pinned.score], mode: "markers", hoverinfo: "skip", marker: ring }] : [];
  const traces = [...curves(laws, rows, names), ...marks(rows, view, names), ...chosen];
  drawLegend(rows, laws, names);
  return Plotly.react(plot, traces, layout, { responsive: true, displayModeBar: false, doubleClickDelay: 400 });
}

function drawLegend(rows, laws, names) {
  const shown = new Set([...rows, ...laws].map((each) => each.series));
  const entries = names.filter((name) => shown.has(name)).map((name) => {
    const { colour, mark } = look(name, names);
    return [mark[1], colour, name];
  });
  if (shown.has(ALL)) entries.push(["—", css("--ink"), "law of all families"]);
  if (rows.some((row) => !row.fitted)) entries.push([HELD_OUT[1], css("--soft"), "held out from the laws"]);
  document.getElementById("legend").replaceChildren(
    ...entries.map(([mark, colour, name]) => {
      const entry = document.createElement("span");
      const sign = document.createElement("span");
      sign.textContent = `${mark} `;
      sign.style.color = colour;
      entry.append(sign, name);
      return entry;
    }),
  );
}
