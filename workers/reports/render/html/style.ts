/** How a report looks in a browser, in a mail and on a phone; light or dark as the reader has it. */
export const STYLE = `
:root{color-scheme:light dark;--page:#fff;--text:#1b1f24;--muted:#59636e;--rule:#d5dae0;--grid:#e3e7eb;--axis:#8d96a0;--panel:#f5f7f9;--accent:#0b62b8;--draft:#b3261e;
--s0:#0b62b8;--s1:#d05a00;--s2:#00856a;--s3:#b3508f;--s4:#3a97cf;--s5:#a87600;--s6:#6b5bb5;--s7:#4d565f}
@media (prefers-color-scheme:dark){:root{--page:#14171b;--text:#e8ebee;--muted:#a3acb6;--rule:#343b43;--grid:#282e35;--axis:#6d7782;--panel:#1d2228;--accent:#5ba8f0;--draft:#ff8a80;
--s0:#5ba8f0;--s1:#ff9447;--s2:#2fc4a0;--s3:#e58cc2;--s4:#8ccdf2;--s5:#e0b040;--s6:#a99df0;--s7:#b3bcc5}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Noto Sans CJK SC",sans-serif;overflow-wrap:anywhere}
main{max-width:1000px;margin:0 auto;padding:28px 20px 40px}
header{border-bottom:2px solid var(--accent);padding-bottom:12px;margin-bottom:8px}
.project{color:var(--accent);font-weight:600;margin:0}
h1{font-size:1.9em;line-height:1.2;margin:.1em 0}
h2{font-size:1.35em;margin:1.7em 0 .6em}
h3{font-size:1.02em;margin:1.4em 0 .4em}
p{margin:.4em 0 .8em;white-space:pre-line}
.subtitle{font-size:1.08em;color:var(--muted);margin:.2em 0 .5em}
.facts,.remark{color:var(--muted);font-size:.87em;margin:.2em 0;display:flex;flex-wrap:wrap;gap:.1em 1.4em}
.draft{color:var(--draft);border:1px solid;border-radius:4px;padding:0 .5em;font-weight:600;text-transform:uppercase;letter-spacing:.08em}
.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(200px,1fr));gap:12px;margin:1em 0}
.figures>div{background:var(--panel);border-radius:8px;padding:12px 14px}
.figures dt,.figures .small{color:var(--muted);font-size:.85em}
.figures dd{margin:0}
.value{font-size:1.65em;font-weight:600;line-height:1.25}
.value small{font-size:.55em;font-weight:400;color:var(--muted)}
.none{color:var(--muted)}
.insights{list-style:none;padding:0}
.insights li{border-left:3px solid var(--accent);padding-left:12px;margin:.9em 0}
.insights b{font-weight:600}
.evidence{color:var(--muted);font-size:.87em;display:flex;flex-wrap:wrap;gap:.1em 1.4em}
.scroll{overflow-x:auto;max-width:100%;max-height:80vh;overflow-y:auto}
table{border-collapse:collapse;width:100%;font-size:.9em;overflow-wrap:normal}
th{position:sticky;top:0;background:var(--panel);color:var(--muted);text-align:left;font-weight:600;vertical-align:bottom}
th,td{padding:5px 10px;border-bottom:1px solid var(--grid);vertical-align:top;unicode-bidi:isolate}
td{white-space:pre-line;min-width:3em;max-width:32em}
.short{white-space:nowrap}
.right{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
svg{display:block;width:100%;height:auto;font-family:inherit}
svg.narrow{display:none}
@media (max-width:600px){main{padding:18px 14px}svg.wide{display:none}svg.narrow{display:block}h1{font-size:1.5em}.figures{grid-template-columns:repeat(auto-fill,minmax(150px,1fr))}}
@media print{.scroll{max-height:none;overflow:visible}th{position:static}}
.text{fill:var(--text)}.muted{fill:var(--muted)}.grid{stroke:var(--grid)}.axis{stroke:var(--axis)}
.line{fill:none;stroke-linejoin:round}
${Array.from({ length: 8 }, (_, at) => `.series-${at}{fill:var(--s${at})}.series-${at}.line{fill:none;stroke:var(--s${at})}`).join("")}
footer{border-top:1px solid var(--rule);margin-top:2.5em;padding-top:.8em;color:var(--muted);font-size:.87em}
`;
