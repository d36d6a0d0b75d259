"use strict";
// What is shown: the form says which axis, metric, place and groups; rows and laws follow from it.

const DATA = JSON.parse(document.getElementById("data").textContent);
const EVERY = "*"; // every benchmark, or every ROI
const ALL = "all"; // the family of a law of all families
const AXES = {};
for (const part of Object.values(DATA.parts)) {
  for (const [name, axis] of Object.entries(part.axes)) AXES[name] = { ...axis, name, part };
}
const form = document.getElementById("controls");

function currentView() {
  const chosen = new FormData(form);
  const axis = AXES[chosen.get("axis")];
  return {
    axis,
    part: axis.part,
    metric: chosen.get("metric"),
    benchmark: chosen.get("benchmark"),
    roi: chosen.get("roi") ?? "", // a disabled select is not in the form's data
    scale: chosen.get("scale"),
    families: new Set(chosen.getAll("family")),
    sources: new Set(chosen.getAll("source")),
  };
}

/** Benchmarks for which a part has scores of the chosen metric. */
function benchmarksOf(part, metric) {
  return Object.keys(DATA.benchmarks).filter((name) => part.scores[metric][name]);
}

function roisOf(part, metric, benchmark) {
  return (DATA.rois[benchmark] ?? []).filter((roi) => part.scores[metric][`${benchmark}/${roi}`]);
}

/** One row per mark: what it is, where it lies, and to which series of the legend it belongs. */
function shownRows(view) {
  const { part, axis, metric } = view;
  const benchmarks = view.benchmark === EVERY ? benchmarksOf(part, metric) : [view.benchmark];
  const rois = view.roi === EVERY ? roisOf(part, metric, view.benchmark) : [view.roi];
  const rows = [];
  for (const benchmark of benchmarks) {
    const distances = axis.distance?.[metric]?.[benchmark];
    for (const roi of rois) {
      const scores = part.scores[metric][roi ? `${benchmark}/${roi}` : benchmark];
      part.id.forEach((id, item) => {
        const family = part.family.of[item];
        const source = part.source.of[item];
        if (scores[item] === null || axis.x[item] === null || !view.families.has(family) || !view.sources.has(source)) return;
        rows.push({
          item,
          id,
          family,
          source,
          benchmark: DATA.benchmarks[benchmark],
          roi,
          x: axis.x[item],
          score: scores[item] * DATA.unit,
          fitted: Boolean(axis.fitted[item]),
          distance: roi || distances?.[item] == null ? null : distances[item] * DATA.unit,
          series: view.benchmark === EVERY ? DATA.benchmarks[benchmark] : view.roi === EVERY ? roi : family,
        });
      });
    }
  }
  return rows;
}

/** Laws of what is shown: of all families together where all are chosen and such a law exists, else family by family. */
function shownLaws(view) {
  if (view.roi) return [];
  const here = DATA.laws.filter(
    (law) =>
      law.axis === view.axis.name &&
      law.metric === view.metric &&
      (view.benchmark === EVERY || law.benchmark_name === view.benchmark),
  );
  const ofAll = here.filter((law) => law.family === ALL);
  const every = new Set(view.part.family.of);
  const laws = view.families.size === every.size && ofAll.length ? ofAll : here.filter((law) => view.families.has(law.family));
  return laws.map((law) => {
    const benchmark = DATA.benchmarks[law.benchmark_name];
    return { ...law, benchmark, series: view.benchmark === EVERY ? benchmark : law.family };
  });
}

/** All series that the view could have, in an order that filters do not change: each keeps its colour and its mark. */
function allSeries(view) {
  if (view.benchmark === EVERY) return Object.values(DATA.benchmarks);
  if (view.roi === EVERY) return DATA.rois[view.benchmark];
  return groupsOf(view.part.family);
}

function groupsOf(group) {
  return [...new Set(group.of)].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
}

/** A number as people read it. */
function short(value, digits = 4) {
  if (value === null || value === undefined) return "";
  if (typeof value !== "number") return String(value);
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e6) return value.toLocaleString("en");
  if (size >= 1e5 || (size < 1e-3 && size > 0)) return value.toExponential(2).replace("e+", "e");
  return String(Number(value.toPrecision(digits)));
}
