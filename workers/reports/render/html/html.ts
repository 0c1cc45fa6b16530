/** A report as one file of HTML: nothing is loaded from elsewhere, and nothing in it can run. */
import type { Block, BlockOf, ReportDocument } from "../../../../schema/report-document.ts";
import { columnsOf } from "../cells.ts";
import { drawChart } from "../chart/draw.ts";
import {
	changeText,
	dataThroughText,
	instantText,
	lineText,
	NONE,
	pageText,
	periodText,
	valueText,
} from "../format.ts";
import { ELSEWHERE, RowBudget } from "../limits.ts";
import { html, Markup } from "./markup.ts";
import { STYLE } from "./style.ts";
import { estimateWidth, svg } from "./svg.ts";

/** Whatever slips in is neither run nor loaded. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'";
/** Charts are drawn twice, and the style shows the one that the screen has room for. */
const WIDTHS = { wide: 860, narrow: 400 } as const;
const FONT_SIZE = 12;
/** Characters; a column of such texts is not broken into lines. */
const SHORT = 20;

export function renderHtml(report: ReportDocument): string {
	const { timezone } = report.period;
	const budget = new RowBudget("html");
	const facts = [
		`${periodText(report.period)} (${timezone})`,
		dataThroughText(report),
		`Generated ${instantText(report.generated_at, timezone)}`,
	];
	const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${lineText(report.title)}</title>
<style>${new Markup(STYLE)}</style>
</head>
<body>
<main>
<header>
<p class="project">${lineText(report.project)}</p>
<h1>${lineText(report.title)}</h1>
${report.subtitle && html`<p class="subtitle">${pageText(report.subtitle)}</p>`}
<div class="facts">${facts.map((fact) => html`<span>${fact}</span>`)}${report.draft === true ? html`<span class="draft">Draft</span>` : undefined}</div>
</header>
${report.sections.map(
	({ heading, blocks }) => html`<section>
<h2>${lineText(heading)}</h2>
${blocks.map((block) => blockOf(block, timezone, budget))}</section>
`,
)}${report.notes.length > 0 ? html`<footer><h2>Notes</h2><ul>${report.notes.map((note) => html`<li>${pageText(note)}</li>`)}</ul></footer>` : undefined}
</main>
</body>
</html>
`;
	return page.text;
}

function blockOf(block: Block, timezone: string, budget: RowBudget): Markup {
	if (block.type === "figures") return figures(block, timezone);
	if (block.type === "insights") return insights(block, timezone);
	if (block.type === "table") return table(block, timezone, budget);
	if (block.type === "text")
		return html`${pageText(block.text)
			.split(/\n{2,}/)
			.map((text) => html`<p>${text}</p>\n`)}`;
	return chart(block, timezone);
}

function figures({ items }: BlockOf<"figures">, timezone: string): Markup {
	const figure = ({ label, value, unit, change_percentage, note }: (typeof items)[number]) => {
		const behind = value === null || unit === "%" || !unit ? undefined : html` <small>${lineText(unit)}</small>`;
		const shown = pageText(valueText(value, { timezone, unit }));
		return html`<div><dt>${lineText(label)}</dt><dd class="value${value === null ? " none" : undefined}">${shown}${behind}</dd>
${change_percentage === undefined ? undefined : html`<dd class="small">${change(change_percentage)} vs. previous</dd>`}${note && html`<dd class="small">${pageText(note)}</dd>`}</div>
`;
	};
	return html`<dl class="figures">${items.map(figure)}</dl>\n`;
}

function change(percentage: number | null): string {
	if (percentage === null) return NONE;
	const { way, text } = changeText(percentage);
	return { up: `▲ ${text}`, down: `▼ ${text}`, same: text }[way];
}

function insights({ items }: BlockOf<"insights">, timezone: string): Markup {
	return html`<ul class="insights">${items.map(
		({ text, evidence }) =>
			html`<li><b>${pageText(text)}</b><div class="evidence">${evidence.map(
				({ label, value }) => html`<span>${lineText(label)}: ${pageText(valueText(value, { timezone }))}</span>`,
			)}</div></li>\n`,
	)}</ul>\n`;
}

function chart(block: BlockOf<"line_chart" | "bar_chart">, timezone: string): Markup {
	const title = lineText(block.title + (block.unit ? ` (${block.unit})` : ""));
	const measure = (text: string) => estimateWidth(text) * FONT_SIZE;
	const scenes = Object.entries(WIDTHS).map(
		([kind, width]) => [kind, drawChart(block, { width, fontSize: FONT_SIZE, timezone, measure })] as const,
	);
	const omitted = new Set(scenes.flatMap(([, scene]) => scene.omitted));
	return html`<h3>${title}</h3>
${scenes.map(([kind, scene]) => svg(scene, title, kind))}
${[...omitted].map((remark) => html`<p class="remark">${remark} ${ELSEWHERE}</p>\n`)}`;
}

function table(block: BlockOf<"table">, timezone: string, budget: RowBudget): Markup {
	const columns = columnsOf(block, timezone);
	const { shown, remark } = budget.take(block.rows);
	const rows = shown.map((row) => columns.map(({ cell }) => cell(row)));
	const classes = columns.map(({ align }, at) => {
		if (align === "right") return html` class="right"`;
		return rows.every((cells) => cells[at]!.length <= SHORT) ? html` class="short"` : undefined;
	});
	return html`${block.title && html`<h3>${lineText(block.title)}</h3>`}
<div class="scroll"><table>
<thead><tr>${columns.map(({ header }, at) => html`<th scope="col"${classes[at]}>${header}</th>`)}</tr></thead>
<tbody>
${rows.map((cells) => html`<tr>${cells.map((cell, at) => html`<td${classes[at]}>${cell}</td>`)}</tr>\n`)}</tbody>
</table></div>
${block.rows.length === 0 ? html`<p class="remark">No rows</p>\n` : undefined}${remark && html`<p class="remark">${remark}</p>\n`}`;
}
