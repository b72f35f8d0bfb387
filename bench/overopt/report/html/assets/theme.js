/* What all charts share: the page's data, its colors in the mode of the moment, and numbers. */
"use strict";

const DATA = JSON.parse(document.getElementById("data").textContent);
const CHARTS = new Set();

document.documentElement.classList.add("scripted");

/* The page's own colors; asked for at every drawing, since paper and dark screens differ. */
function ink(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function redrawAll() {
  for (const chart of CHARTS) chart.redraw();
}

for (const query of ["(prefers-color-scheme: dark)", "print"]) {
  matchMedia(query).addEventListener("change", redrawAll);
}

/* A number with a true minus sign, or the sign for missing. */
function show(value, digits = 2) {
  if (value === null || value === undefined) return "–";
  const text = value.toFixed(digits);
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
}

/* KL in nats as short as it can be read: three digits, no zeros behind. */
function showNats(value) {
  if (value === null || value === undefined) return "";
  return String(Number(value.toPrecision(3)));
}

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}
