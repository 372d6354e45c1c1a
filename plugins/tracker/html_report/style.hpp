// The style sheet and the script of the report page.  System fonts only; the script adds hovering
// and nothing else.
#pragma once

#include <string_view>

namespace mortise::tracker::html_report {

inline constexpr std::string_view kStyle = R"css(
:root{color-scheme:light dark;--page:#f5f6f8;--card:#fff;--ink:#1a1f27;--soft:#5f6b7a;--line:#e2e6ec;--grid:#eceff3;
--main:#2563c9;--raw:#9dbcec;--other:#c2570c;--done:#177245;--running:#2563c9;--warn:#a15c07;--bad:#b42318}
@media (prefers-color-scheme:dark){:root{--page:#12151a;--card:#1a1f26;--ink:#e6e9ee;--soft:#98a3b2;--line:#2b323c;--grid:#252b34;
--main:#6ea3f5;--raw:#35517f;--other:#f0944d;--done:#4cc38a;--running:#6ea3f5;--warn:#e5a94b;--bad:#f2776b}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif}
main{max-width:1180px;margin:0 auto;padding:32px 24px 48px}
.top{display:flex;align-items:center;gap:14px;flex-wrap:wrap;margin-bottom:20px}
h1{font-size:26px;line-height:1.2;margin:0;letter-spacing:-.01em;overflow-wrap:anywhere}
h2{font-size:13px;font-weight:600;text-transform:uppercase;letter-spacing:.06em;color:var(--soft);margin:32px 0 10px}
.status{font-size:13px;font-weight:600;padding:2px 11px;border-radius:99px;color:var(--warn);border:1px solid currentColor}
.status.done{color:var(--done)}.status.running{color:var(--running)}.status.failed{color:var(--bad)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px}
.tile,.card,figure{background:var(--card);border:1px solid var(--line);border-radius:10px}
.tile{padding:12px 16px}
.tile span{display:block;font-size:12.5px;color:var(--soft)}
.tile b{font-size:22px;font-weight:600;font-variant-numeric:tabular-nums;letter-spacing:-.01em}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(440px,100%),1fr));gap:14px}
figure{margin:0;padding:12px 14px 8px;min-width:0}
figcaption{display:flex;flex-wrap:wrap;gap:2px 14px;align-items:baseline;margin-bottom:4px}
.key,.note{font-size:12px;color:var(--soft)}
.key::before{content:"";display:inline-block;width:14px;height:3px;border-radius:2px;margin-right:6px;vertical-align:middle;background:var(--main)}
.key.raw::before{background:var(--raw)}.key.other::before{background:var(--other)}.key.gone::before{background:var(--bad)}
svg{display:block;width:100%;height:auto}
svg text{fill:var(--soft);font-size:11px;font-variant-numeric:tabular-nums}
.grid{stroke:var(--grid)}.axis{stroke:var(--soft);stroke-opacity:.55}
polyline{fill:none;stroke-linejoin:round;stroke-linecap:round;stroke-width:1.6}
polyline.raw{stroke:var(--raw);stroke-width:1}polyline.main{stroke:var(--main)}polyline.other{stroke:var(--other)}polyline.gone{stroke:var(--bad);stroke-width:1;stroke-dasharray:4 3}
circle{fill:var(--main)}circle.other{fill:var(--other)}
.hair{stroke:var(--soft);stroke-dasharray:3 3}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px}
th,td{text-align:left;padding:6px 16px;vertical-align:top}
thead th{font-size:12.5px;font-weight:500;color:var(--soft);border-bottom:1px solid var(--line);padding:9px 16px}
tbody+tbody tr:first-child td{border-top:1px solid var(--line)}
.number{text-align:right;font-variant-numeric:tabular-nums}
.metrics code{font-size:12px;color:var(--soft);overflow-wrap:anywhere;display:inline-block;min-width:200px;max-width:460px}
.facts th{width:34%;font-weight:400;color:var(--soft)}
.facts td{font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.facts tr+tr>*{border-top:1px solid var(--grid)}
article.card{padding:12px 16px;margin-bottom:10px}
article header{display:flex;justify-content:space-between;gap:12px;font-weight:600;margin-bottom:4px}
article header span{color:var(--soft);font-weight:400;font-size:13px}
pre{margin:0;font:12.5px/1.55 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;overflow-x:auto;tab-size:2}
pre.prose{font:inherit;font-size:14.5px;white-space:pre-wrap;overflow-wrap:anywhere}
details.card{padding:11px 16px;margin-bottom:10px}
summary{cursor:pointer;font-weight:600}
details pre{margin-top:10px;padding-top:10px;border-top:1px solid var(--grid)}
footer{margin-top:36px;font-size:12.5px;color:var(--soft);overflow-wrap:anywhere}
#tip{position:fixed;pointer-events:none;background:var(--card);color:var(--ink);border:1px solid var(--line);border-radius:8px;padding:6px 10px;
font-size:12.5px;font-variant-numeric:tabular-nums;white-space:pre;box-shadow:0 4px 14px #0003}
@media print{body{background:#fff}.card,figure,.tile{break-inside:avoid}}
)css";

// Finds the nearest point of each curve by its horizontal place and turns pixels back into values.
inline constexpr std::string_view kScript = R"js(
"use strict";
const tip = document.getElementById("tip");
for (const svg of document.querySelectorAll("figure svg")) {
  const [px0, px1, x0, x1] = svg.dataset.x.split(" ").map(Number), [py0, py1, y0, y1] = svg.dataset.y.split(" ").map(Number);
  const hair = document.createElementNS("http://www.w3.org/2000/svg", "line");
  hair.setAttribute("class", "hair"); hair.setAttribute("y1", py1); hair.setAttribute("y2", py0); hair.style.display = "none"; svg.append(hair);
  const leave = () => { tip.hidden = true; hair.style.display = "none"; };
  svg.addEventListener("mouseleave", leave);
  svg.addEventListener("mousemove", event => {
    const mouse = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    const lines = []; let at = null;
    for (const curve of svg.querySelectorAll("polyline")) {
      let low = 0, high = curve.points.numberOfItems - 1;
      while (high - low > 1) { const middle = (low + high) >> 1; if (curve.points.getItem(middle).x < mouse.x) low = middle; else high = middle; }
      const a = curve.points.getItem(low), b = curve.points.getItem(Math.max(high, 0)), p = mouse.x - a.x < b.x - mouse.x ? a : b;
      if (at === null) at = p.x;
      const value = y0 + (p.y - py0) / (py1 - py0) * (y1 - y0);
      lines.push((curve.dataset.label ? curve.dataset.label + "  " : "") + Number(value.toPrecision(4)));
    }
    if (at === null) return leave();
    hair.setAttribute("x1", at); hair.setAttribute("x2", at); hair.style.display = "";
    tip.textContent = "step " + Math.round(x0 + (at - px0) / (px1 - px0) * (x1 - x0)) + "\n" + lines.join("\n");
    tip.hidden = false;
    tip.style.left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8) + "px"; tip.style.top = event.clientY + 14 + "px";
  });
}
)js";

}  // namespace mortise::tracker::html_report
