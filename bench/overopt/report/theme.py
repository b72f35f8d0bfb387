"""The style sheet of the page: light and dark, readable on a phone, nothing loaded."""

CSS = """\
:root { color-scheme: light dark; --ink: #1c1e21; --soft: #5d646d; --line: #d9dde2;
  --paper: #ffffff; --card: #f5f6f8; --accent: #0062a0; --warn: #a34100;
  --c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #cc79a7; --c4: #e69f00; --c5: #56b4e9; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e8eb; --soft: #a0a7b0; --line: #3a3f46; --paper: #16181b; --card: #1f2226;
    --accent: #6db8ec; --warn: #f0a05a;
    --c0: #3d9be0; --c1: #f07f2e; --c2: #1fbf92; --c3: #dd93bb; --c4: #f0b429; --c5: #8fd0f5; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
header { border-bottom: 1px solid var(--line); padding-bottom: 1rem; }
.kicker { margin: 0; color: var(--soft); font-size: .85rem; letter-spacing: .04em; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: .1em 0 .6em; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.4rem 0 .6rem; }
h3 { font-size: 1rem; margin: 1.6rem 0 .4rem; }
h3.task { font-size: 1.15rem; }
h4 { font-size: .8rem; margin: 0 0 .3rem; color: var(--soft); font-weight: 600; }
p { max-width: 46rem; }
a { color: var(--accent); }
nav { display: flex; flex-wrap: wrap; gap: .2rem 1rem; font-size: .95rem; }
.facts { list-style: none; display: flex; flex-wrap: wrap; gap: .3rem 1.4rem; padding: 0;
  margin: 0; color: var(--soft); }
.facts b { color: var(--ink); font-size: 1.1rem; }
.note, figcaption, .marks { color: var(--soft); font-size: .875rem; }
figcaption { max-width: 46rem; }
.warn { color: var(--warn); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .3rem .9rem .3rem 0; vertical-align: top;
  white-space: nowrap; }
th { border-bottom: 1px solid var(--ink); font-weight: 600; white-space: normal;
  vertical-align: bottom; }
td { border-bottom: 1px solid var(--line); }
th.n, td.n { text-align: right; padding: .3rem .45rem .3rem .45rem; }
th.n + th:not(.n), td.n + td:not(.n) { padding-left: .9rem; }
article .note { margin: .6rem 0 0; }
td:last-child:not(.n) { white-space: normal; min-width: 12rem; }
figure { margin: 0 0 2rem; }
svg { display: block; width: 100%; min-width: calc(var(--width) * .72); max-width: var(--width);
  height: auto; color: var(--ink); stroke-linejoin: round; }
svg text { font-family: "DejaVu Sans", Verdana, system-ui, sans-serif; fill: currentColor; }
details { border-top: 1px solid var(--line); padding: .5rem 0; }
summary { cursor: pointer; overflow-wrap: anywhere; }
article { background: var(--card); border-radius: 6px; padding: .8rem 1rem; margin: .8rem 0; }
.prompt { font-weight: 600; margin: 0 0 .6rem; white-space: pre-wrap; overflow-wrap: anywhere; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 1.2rem; }
.pair > div { min-width: 0; }
blockquote { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
.marks { margin: .4rem 0 0; }
.marks b { color: var(--ink); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; font-size: .875rem; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; min-width: 0; }
pre { overflow-x: auto; font-size: .8rem; background: var(--card); padding: .8rem;
  border-radius: 6px; max-height: 30rem; }
@media (max-width: 640px) {
  body { font-size: 15px; }
  .pair { grid-template-columns: 1fr; gap: .8rem; }
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .5rem; } }
@media print { details { break-inside: avoid; } }
"""
