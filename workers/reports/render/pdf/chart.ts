/** Draws a chart's scene onto a page. */
import type { BlockOf } from "../../../../schema/report-document.ts";
import { drawChart } from "../chart/draw.ts";
import type { Mark, Scene } from "../chart/scene.ts";
import { lineText } from "../format.ts";
import type { Sheet } from "./sheet.ts";
import { CONTENT_WIDTH, colourOf, PAGE } from "./theme.ts";

const FONT_SIZE = 7.5;
const TITLE = { size: 10, weight: "bold" } as const;
const REMARK = { size: 7.5 } as const;

export function drawChartBlock(sheet: Sheet, block: BlockOf<"line_chart" | "bar_chart">, timezone: string): void {
	const scene = drawChart(block, {
		width: CONTENT_WIDTH,
		fontSize: FONT_SIZE,
		timezone,
		measure: (text) => sheet.type.width(text, { size: FONT_SIZE }),
	});
	sheet.ensure(scene.height + 34);
	const unit = block.unit === undefined || block.unit === "" ? "" : ` (${block.unit})`;
	sheet.paragraph(lineText(block.title + unit), TITLE, "text");
	sheet.y += 6;
	drawScene(sheet, scene);
	sheet.y += scene.height + 4;
	for (const remark of scene.omitted)
		sheet.paragraph(`${remark} The CSV and the JSON of this report have all.`, REMARK, "muted");
}

function drawScene(sheet: Sheet, { marks, fontSize }: Scene): void {
	const { doc } = sheet;
	doc.save();
	doc.translate(PAGE.left, sheet.y).lineJoin("round").lineCap("butt");
	for (const mark of marks) drawMark(sheet, mark, fontSize);
	doc.restore();
}

function drawMark({ doc, type }: Sheet, mark: Mark, size: number): void {
	const colour = colourOf(mark.ink);
	if (mark.kind === "fill") {
		doc.path(mark.path).fill(colour);
	} else if (mark.kind === "stroke") {
		doc.lineWidth(mark.width);
		if (mark.dash === undefined) doc.undash();
		else doc.dash(mark.dash[0], { space: mark.dash[1] });
		doc.path(mark.path).stroke(colour);
	} else {
		const share = { start: 0, middle: 0.5, end: 1 }[mark.anchor];
		type.draw(mark.text, mark.x - share * type.width(mark.text, { size }), mark.y, { size }, colour);
	}
}
