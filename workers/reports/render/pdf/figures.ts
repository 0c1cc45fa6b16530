/** Figures side by side, each a number with its name, what it changed by, and a note. */
import type { BlockOf } from "../../../../schema/report-document.ts";
import { changeText, lineText, NONE, pageText, valueText } from "../format.ts";
import type { Sheet } from "./sheet.ts";
import { CONTENT_WIDTH, colourOf, PAGE } from "./theme.ts";
import { ASCENT, LEADING, type Line, type Style } from "./typesetter.ts";

type Figure = BlockOf<"figures">["items"][number];

const MOST_COLUMNS = 4;
const GAP = 10;
const PADDING = 10;
const LABEL: Style = { size: 8 };
const VALUE_SIZES = [19, 15, 12, 9.5];
const UNIT: Style = { size: 9 };
const NOTE: Style = { size: 7.5 };

interface Part {
	readonly lines: readonly Line[];
	readonly style: Style;
	readonly ink: "text" | "muted";
	readonly way?: "up" | "down" | "same";
	/** When more than its lines take. */
	readonly height?: number;
	/** Said behind the last line. */
	readonly unit?: string;
}

export function drawFigures(sheet: Sheet, { items }: BlockOf<"figures">, timezone: string): void {
	const columns = Math.min(MOST_COLUMNS, Math.max(1, items.length));
	const width = (CONTENT_WIDTH - GAP * (columns - 1)) / columns;
	for (let from = 0; from < items.length; from += columns) {
		const row = items
			.slice(from, from + columns)
			.map((figure) => partsOf(sheet, figure, width - 2 * PADDING, timezone));
		// Values stand on one line, however long the name above.
		const labelLines = Math.max(...row.map(([label]) => label!.lines.length));
		for (const parts of row) parts[0] = { ...parts[0]!, height: labelLines * LABEL.size * LEADING };
		const height = Math.max(...row.map(heightOf)) + 2 * PADDING - 2;
		sheet.ensure(height);
		for (const [column, parts] of row.entries()) {
			const x = PAGE.left + column * (width + GAP);
			sheet.doc.roundedRect(x, sheet.y, width, height, 4).fill(colourOf("panel"));
			drawParts(sheet, parts, x + PADDING, sheet.y + PADDING - 2);
		}
		sheet.y += height + GAP;
	}
	sheet.y -= items.length > 0 ? GAP : 0;
}

function partsOf({ type }: Sheet, figure: Figure, width: number, timezone: string): Part[] {
	const value = pageText(valueText(figure.value, { timezone, unit: figure.unit }));
	const unit = figure.value === null || figure.unit === "%" ? "" : lineText(figure.unit ?? "");
	const unitWidth = unit === "" ? 0 : type.width(` ${unit}`, UNIT);
	const beside = unitWidth < width * 0.6;
	const size =
		VALUE_SIZES.find((one) => type.width(value, big(one)) + (beside ? unitWidth : 0) <= width) ?? VALUE_SIZES.at(-1)!;
	const parts: Part[] = [
		{ lines: type.wrap(lineText(figure.label), LABEL, width, 2).lines, style: LABEL, ink: "muted" },
		{
			lines: type.wrap(value, big(size), width, 3).lines,
			style: big(size),
			ink: figure.value === null ? "muted" : "text",
			...(unit !== "" && beside && { unit }),
		},
	];
	if (unit !== "" && !beside) parts.push({ lines: type.wrap(unit, UNIT, width, 2).lines, style: UNIT, ink: "muted" });
	if (figure.change_percentage !== undefined) {
		const change = figure.change_percentage === null ? undefined : changeText(figure.change_percentage);
		const text = `${change?.text ?? NONE} vs. previous`;
		parts.push({
			lines: type.wrap(text, NOTE, width - 9, 2).lines,
			style: NOTE,
			ink: "muted",
			way: change?.way ?? "same",
		});
	}
	if (figure.note !== undefined && figure.note !== "") {
		parts.push({ lines: type.wrap(pageText(figure.note), NOTE, width, 4).lines, style: NOTE, ink: "muted" });
	}
	return parts;
}

const big = (size: number): Style => ({ size, weight: "bold" });
const heightOf = (parts: readonly Part[]): number =>
	parts.reduce((sum, { lines, style, height }) => sum + (height ?? lines.length * style.size * LEADING), 0);

function drawParts({ doc, type }: Sheet, parts: readonly Part[], x: number, startY: number): void {
	let top = startY;
	for (const { lines, style, ink, way, unit, height } of parts) {
		let y = top;
		const indent = way === undefined || way === "same" ? 0 : 9;
		if (way === "up" || way === "down") {
			const [base, tip] = way === "up" ? [y + 8.2, y + 3] : [y + 3.2, y + 8.4];
			doc.path(`M${x},${base}h6L${x + 3},${tip}Z`).fill(colourOf("muted"));
		}
		for (const [index, { text, width }] of lines.entries()) {
			const baseline = y + style.size * ASCENT;
			type.draw(text, x + indent, baseline, style, colourOf(ink));
			if (unit !== undefined && index === lines.length - 1)
				type.draw(` ${unit}`, x + width, baseline, UNIT, colourOf("muted"));
			y += style.size * LEADING;
		}
		top += height ?? y - top;
	}
}
