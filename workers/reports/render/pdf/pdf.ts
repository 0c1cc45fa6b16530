/** A report on paper: A4, with its fonts inside, the same bytes for the same report. */
import type { Block, BlockOf, ReportDocument } from "../../../../schema/report-document.ts";
import { dataThroughText, instantText, lineText, pageText, periodText, valueText } from "../format.ts";
import { ELSEWHERE, RowBudget } from "../limits.ts";
import { drawChartBlock } from "./chart.ts";
import { drawFigures } from "./figures.ts";
import { Fonts, REPLACEMENT, type Weight } from "./fonts.ts";
import { Sheet } from "./sheet.ts";
import { drawTable } from "./table.ts";
import { colourOf, PAGE } from "./theme.ts";
import type { Style } from "./typesetter.ts";

const PROJECT: Style = { size: 9, weight: "bold" };
const TITLE: Style = { size: 22, weight: "bold" };
const SUBTITLE: Style = { size: 11 };
const FACT: Style = { size: 8.5 };
const HEADING: Style = { size: 14, weight: "bold" };
const BODY: Style = { size: 9.5 };
const STATEMENT: Style = { size: 9.5, weight: "bold" };
const EVIDENCE: Style = { size: 8.5 };
const NOTE: Style = { size: 8.5 };
/** A heading never stands at the foot of a page with less than this below it. */
const WITH_HEADING = 110;

export async function renderPdf(report: ReportDocument): Promise<Buffer> {
	const fonts = await Fonts.load(textsOf(report));
	const sheet = new Sheet(report, fonts);
	const budget = new RowBudget("pdf");
	drawTitle(sheet, report);
	for (const { heading, blocks } of report.sections) {
		drawHeading(sheet, heading);
		for (const block of blocks) {
			drawBlock(sheet, block, report, budget);
			sheet.y += 18;
		}
	}
	const notes = [...report.notes.map(pageText), ...sheet.omitted, ...missingNote(fonts)];
	if (notes.length > 0) drawHeading(sheet, "Notes");
	for (const note of notes) {
		sheet.ensure(NOTE.size * 1.4);
		sheet.type.draw("•", PAGE.left + 2, sheet.y + NOTE.size * 1.02, NOTE, colourOf("muted"));
		sheet.paragraph(note, NOTE, "muted", 12);
		sheet.y += 3;
	}
	return await sheet.finish();
}

function drawTitle(sheet: Sheet, report: ReportDocument): void {
	sheet.y = 48;
	sheet.paragraph(lineText(report.project), PROJECT, "accent");
	sheet.y += 2;
	sheet.paragraph(lineText(report.title), TITLE, "text");
	if (report.subtitle !== undefined && report.subtitle !== "")
		sheet.paragraph(pageText(report.subtitle), SUBTITLE, "muted");
	sheet.y += 5;
	const { timezone } = report.period;
	const facts = [
		`${periodText(report.period)} (${timezone})`,
		dataThroughText(report),
		`Generated ${instantText(report.generated_at, timezone)}`,
		...(report.draft === true ? ["Draft"] : []),
	];
	sheet.paragraph(facts.join("   ·   "), FACT, "muted");
	sheet.y += 6;
	sheet.rule(sheet.y, "accent", 1.2);
	sheet.y += 6;
}

function drawHeading(sheet: Sheet, heading: string): void {
	sheet.y += 10;
	sheet.ensure(WITH_HEADING);
	const text = lineText(heading);
	sheet.doc.outline.addItem(text);
	sheet.paragraph(text, HEADING, "text");
	sheet.y += 6;
}

function drawBlock(sheet: Sheet, block: Block, report: ReportDocument, budget: RowBudget): void {
	if (block.type === "figures") drawFigures(sheet, block, report.period.timezone);
	else if (block.type === "table") drawTable(sheet, block, report.period.timezone, budget);
	else if (block.type === "insights") drawInsights(sheet, block, report.period.timezone);
	else if (block.type === "text") drawText(sheet, block);
	else drawChartBlock(sheet, block, report.period.timezone);
}

function drawText(sheet: Sheet, { text }: BlockOf<"text">): void {
	for (const paragraph of pageText(text).split(/\n{2,}/)) {
		sheet.paragraph(paragraph, BODY, "text");
		sheet.y += 5;
	}
	sheet.y -= 5;
}

function drawInsights(sheet: Sheet, { items }: BlockOf<"insights">, timezone: string): void {
	for (const { text, evidence } of items) {
		sheet.ensure(34);
		sheet.doc.circle(PAGE.left + 4, sheet.y + 6.4, 2.2).fill(colourOf("accent"));
		sheet.paragraph(pageText(text), STATEMENT, "text", 14);
		const grounds = evidence.map(
			({ label, value }) => `${lineText(label)}: ${lineText(valueText(value, { timezone }))}`,
		);
		if (grounds.length > 0) sheet.paragraph(grounds.join("   ·   "), EVIDENCE, "muted", 14);
		sheet.y += 5;
	}
	if (items.length === 0) sheet.paragraph("None", EVIDENCE, "muted");
	else sheet.y -= 5;
}

function missingNote({ missing }: Fonts): string[] {
	if (missing.size === 0) return [];
	const codes = [...missing]
		.sort()
		.map((character) => `U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}`);
	const named = codes.slice(0, 12).join(", ") + (codes.length > 12 ? ` and ${codes.length - 12} more` : "");
	return [`The fonts of this file do not have ${named}, shown as ${REPLACEMENT}. ${ELSEWHERE}`];
}

/** All that is or may be written, by weight: fonts keep the glyphs of these texts only. */
function textsOf(report: ReportDocument): ReadonlyMap<Weight, readonly string[]> {
	const always = `${String.fromCharCode(...Array.from({ length: 95 }, (_, at) => at + 32))}–…•·${REPLACEMENT}`;
	const regular: string[] = [always];
	const bold: string[] = [always];
	const walk = (value: unknown): void => {
		if (typeof value === "string") regular.push(pageText(value));
		else if (Array.isArray(value)) for (const member of value) walk(member);
		else if (typeof value === "object" && value !== null) for (const member of Object.values(value)) walk(member);
	};
	walk(report);
	bold.push(report.title, report.project);
	for (const { heading, blocks } of report.sections) {
		bold.push(heading);
		for (const block of blocks) {
			if (block.type === "figures") for (const { value } of block.items) bold.push(String(value));
			else if (block.type === "table")
				bold.push(block.title ?? "", ...block.columns.map(({ label, unit }) => label + (unit ?? "")));
			else if (block.type === "insights") bold.push(...block.items.map(({ text }) => text));
			else if (block.type !== "text") bold.push(block.title + (block.unit ?? ""));
		}
	}
	return new Map<Weight, readonly string[]>([
		["regular", regular],
		["bold", bold.map(pageText)],
	]);
}
