// The form: what can be chosen follows from the axis and from what the study has.

const pages = { pretraining: "Pretraining", finetuning: "Fine-tuning", mapping: "Readouts" };
let pinned = null;

/** Fill a select, and keep its choice where it is still on offer. */
function offer(select, options, preferred) {
  const before = select.value;
  select.replaceChildren(...options.map(([value, label]) => new Option(label, value)));
  const values = options.map(([value]) => value);
  select.value = values.includes(before) ? before : values.includes(preferred) ? preferred : (values[0] ?? "");
  select.disabled = options.length < 2;
}

function offerGroups(box, legend, name, group) {
  document.getElementById(legend).textContent = group.label;
  const names = groupsOf(group);
  const entries = names.map((value) => {
    const input = Object.assign(document.createElement("input"), { type: "checkbox", name, value, checked: (group.first ?? names).includes(value) });
    const label = element("label", input);
    label.append(value);
    return label;
  });
  const switches = ["all", "none"].map((word) => {
    const button = element("button", word, { type: "button", "aria-label": `${group.label}: ${word}` });
    button.addEventListener("click", () => {
      for (const input of box.querySelectorAll("input")) input.checked = word === "all";
      show();
    });
    return button;
  });
  box.replaceChildren(...entries, ...(names.length > 2 ? switches : []));
}

function offerPart() {
  const { part } = AXES[form.axis.value];
  offer(form.metric, Object.entries(DATA.metrics).filter(([name]) => part.scores[name]), "pearsonr_nc");
  offerGroups(document.getElementById("families"), "family-legend", "family", part.family);
  offerGroups(document.getElementById("sources"), "source-legend", "source", part.source);
  offerPlaces();
}

function offerPlaces() {
  const { part } = AXES[form.axis.value];
  const benchmarks = benchmarksOf(part, form.metric.value).map((name) => [name, DATA.benchmarks[name]]);
  offer(form.benchmark, [...benchmarks, [EVERY, "Every benchmark"]], "average");
  offerRois();
}

function offerRois() {
  const rois = roisOf(AXES[form.axis.value].part, form.metric.value, form.benchmark.value);
  const each = rois.length > 1 ? [[EVERY, "Every ROI by itself"]] : [];
  offer(form.roi, [["", "All ROIs, averaged"], ...each, ...rois.map((roi) => [roi, roi])], "");
}

function show() {
  const view = currentView();
  const rows = shownRows(view);
  const laws = shownLaws(view);
  if (pinned) pinned = rows.find((row) => row.id === pinned.id && row.benchmark === pinned.benchmark && row.roi === pinned.roi) ?? null;
  const place = view.benchmark === EVERY ? "every benchmark" : DATA.benchmarks[view.benchmark];
  const roi = view.roi === EVERY ? ", every ROI" : view.roi && `, ${view.roi}`;
  const title = `${DATA.metrics[view.metric]}: ${place}${roi}`;
  document.getElementById("plot-title").textContent = title;
  const { noun } = view.part;
  const models = new Set(rows.map((row) => row.item)).size;
  const status = `${short(rows.length)} points of ${short(models)} ${noun}${models === 1 ? "" : "s"}, ${laws.length} scaling law${laws.length === 1 ? "" : "s"}`;
  document.getElementById("status").textContent = status;
  plot.setAttribute("aria-label", `${title}, over ${view.axis.label}. ${status}. The tables below have the numbers.`);
  const pin = (row, fromPlot = false) => {
    pinned = row;
    drawCard(row, view);
    drawPlot(view, rows, laws, pinned);
    const back = document.getElementById("back");
    back.hidden = fromPlot;
    if (fromPlot) return;
    const origin = document.activeElement;
    back.onclick = () => origin.focus();
    document.getElementById("card-title").focus();
  };
  document.getElementById("back").hidden = true;
  drawCard(pinned, view);
  drawLaws(laws, view);
  drawPoints(rows, view, pin);
  drawPlot(view, rows, laws, pinned).then(() => {
    plot.removeAllListeners("plotly_click");
    plot.on("plotly_click", ({ points }) => points[0].data.rows && pin(points[0].data.rows[points[0].pointNumber], true));
  });
}

document.getElementById("study").textContent = DATA.study;
for (const [name, part] of Object.entries(DATA.parts)) {
  const group = element("optgroup", "", { label: pages[name] });
  for (const [axis, { label }] of Object.entries(part.axes)) group.append(new Option(label, axis));
  form.axis.append(group);
}
form.addEventListener("change", ({ target }) => {
  if (target === form.axis) offerPart();
  if (target === form.metric) offerPlaces();
  if (target === form.benchmark) offerRois();
  show();
});
dark.addEventListener("change", show);
offerPart();
show();
