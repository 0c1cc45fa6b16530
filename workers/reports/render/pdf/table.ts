/** Draws a table: over as many pages as it takes, its header on each. */
import type { BlockOf } from "../../../../schema/report-document.ts";
import { type Column, columnsOf } from "../cells.ts";
import { lineText } from "../format.ts";
import { ELSEWHERE, MOST_CELL_LINES, type RowBudget } from "../limits.ts";
import { groupColumns, shareWidth, type Wish } from "./column-widths.ts";
import type { Sheet } from "./sheet.ts";
import { CONTENT_WIDTH, colourOf, PAGE } from "./theme.ts";
import { ASCENT, LEADING, type Line, type Style } from "./typesetter.ts";

const TITLE = { size: 10, weight: "bold" } as const;
const REMARK = { size: 7.5 } as const;
const SIZES = [8.5, 7];
const PAD = { x: 5, y: 2.6 };
/** A word longer than this is broken. */
const LONGEST_WORD = 96;

type Row = BlockOf<"table">["rows"][number];
interface Placed extends Column {
	readonly x: number;
	/** Of the text, without its padding. */
	readonly width: number;
}
interface Styles {
	readonly body: Style;
	readonly head: Style;
}

export function drawTable(sheet: Sheet, block: BlockOf<"table">, timezone: string, budget: RowBudget): void {
	const columns = columnsOf(block, timezone);
	const { shown, remark } = budget.take(block.rows);
	const { groups, styles } = layOut(sheet, columns, shown);
	sheet.ensure(90);
	if (block.title !== undefined && block.title !== "") {
		sheet.paragraph(lineText(block.title), TITLE, "text");
		sheet.y += 4;
	}
	for (const [index, group] of groups.entries()) {
		if (index > 0) sheet.y += 12;
		drawGroup(sheet, group, shown, styles);
	}
	if (block.rows.length === 0 || columns.length === 0) sheet.paragraph("No rows", REMARK, "muted", PAD.x);
	if (remark !== undefined) {
		sheet.y += 3;
		sheet.paragraph(remark, REMARK, "muted");
	}
}

/** At the usual size if all columns fit, else smaller, else in groups below each other. */
function layOut(
	sheet: Sheet,
	columns: readonly Column[],
	rows: readonly Row[],
): { groups: Placed[][]; styles: Styles } {
	for (const size of SIZES) {
		const styles = stylesOf(size);
		const wishes = columns.map((column) => wishOf(sheet, column, rows, styles));
		const widths = shareWidth(wishes, CONTENT_WIDTH);
		if (widths !== undefined) return { groups: columns.length === 0 ? [] : [place(columns, widths)], styles };
		if (size !== SIZES.at(-1)) continue;
		const groups = groupColumns(wishes, CONTENT_WIDTH).map((members) => {
			const shared = shareWidth(
				members.map((member) => wishes[member]!),
				CONTENT_WIDTH,
			);
			return place(
				members.map((member) => columns[member]!),
				shared ?? members.map(() => CONTENT_WIDTH / members.length),
			);
		});
		return { groups, styles };
	}
	throw new Error("unreachable: the last size is always taken");
}

const stylesOf = (size: number): Styles => ({ body: { size }, head: { size: size - 0.5, weight: "bold" } });

function wishOf({ type }: Sheet, column: Column, rows: readonly Row[], { body, head }: Styles): Wish {
	let natural = type.width(column.header, head);
	let least = longestWord(column.header, (word) => type.width(word, head));
	for (const row of rows) {
		// What is longer is broken in any case.
		const text = column.cell(row).slice(0, 400);
		const width = type.width(text, body);
		if (width > natural) natural = width;
		if (width > least && least < LONGEST_WORD)
			least = Math.max(
				least,
				longestWord(text, (word) => type.width(word, body)),
			);
	}
	return { natural: natural + 2 * PAD.x + 1, least: Math.min(least, LONGEST_WORD) + 2 * PAD.x + 1 };
}

const longestWord = (text: string, width: (word: string) => number): number =>
	text.split(/\s+/).reduce((longest, word) => Math.max(longest, width(word)), 0);

function place(columns: readonly Column[], widths: readonly number[]): Placed[] {
	let x: number = PAGE.left;
	return columns.map((column, index) => {
		const placed = { ...column, x: x + PAD.x, width: widths[index]! - 2 * PAD.x };
		x += widths[index]!;
		return placed;
	});
}

function drawGroup(sheet: Sheet, columns: readonly Placed[], rows: readonly Row[], { body, head }: Styles): void {
	const header = columns.map((column) => sheet.type.wrap(column.header, head, column.width, 4).lines);
	const headHeight = heightOf(header, head);
	const drawHeader = () => {
		sheet.doc.rect(PAGE.left, sheet.y, CONTENT_WIDTH, headHeight).fill(colourOf("panel"));
		drawCells(sheet, columns, header, head, "muted");
		sheet.y += headHeight;
		sheet.rule(sheet.y, "axis", 0.6);
	};
	sheet.ensure(headHeight + 3 * (body.size * LEADING + 2 * PAD.y));
	drawHeader();
	for (const row of rows) {
		const cells = columns.map((column) => {
			const { lines, cut } = sheet.type.wrap(column.cell(row), body, column.width, MOST_CELL_LINES);
			if (cut) sheet.omitted.add(`Texts in tables that take more than ${MOST_CELL_LINES} lines are cut. ${ELSEWHERE}`);
			return lines;
		});
		const height = heightOf(cells, body);
		if (sheet.ensure(height)) drawHeader();
		drawCells(sheet, columns, cells, body, "text");
		sheet.y += height;
		sheet.rule(sheet.y, "grid", 0.4);
	}
}

function heightOf(cells: readonly (readonly Line[])[], { size }: Style): number {
	return Math.max(1, ...cells.map((lines) => lines.length)) * size * LEADING + 2 * PAD.y;
}

function drawCells(
	{ type, y }: Sheet,
	columns: readonly Placed[],
	cells: readonly (readonly Line[])[],
	style: Style,
	ink: "text" | "muted",
): void {
	for (const [index, { x, width, align }] of columns.entries()) {
		for (const [row, line] of cells[index]!.entries()) {
			const baseline = y + PAD.y + row * style.size * LEADING + style.size * ASCENT;
			const left = align === "right" ? x + width - line.width : x;
			type.draw(line.text, left, baseline, style, colourOf(ink));
		}
	}
}
