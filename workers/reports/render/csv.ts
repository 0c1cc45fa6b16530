/**
 * A report as CSV (RFC 4180): all of it in one table of as many columns as the widest block needs.
 *
 * The first three fields of a record say which section and block it belongs to, and whether it names the columns of the
 * block (`columns`) or is one of its rows (`row`). Numbers are written as they are, nulls as empty fields.
 */
import type { Block, Cell, ReportDocument } from "../../../schema/report-document.ts";

type Field = Cell | undefined;
/** A block: what its columns are called, and its rows. */
interface Part {
	readonly section: string;
	readonly block: string;
	readonly columns: readonly string[];
	readonly rows: readonly (readonly Field[])[];
}

const LEADING_COLUMNS = ["section", "block", "record"];
/** Spreadsheets on Windows take a file without it for one in the local code page, and spoil every name. */
const BYTE_ORDER_MARK = "\ufeff";

export function renderCsv(report: ReportDocument): string {
	const parts = partsOf(report);
	const width = parts.reduce((widest, { columns }) => Math.max(widest, columns.length), 1);
	const lines: string[] = [];
	const write = (fields: readonly Field[]) => {
		lines.push(Array.from({ length: LEADING_COLUMNS.length + width }, (_, at) => csvField(fields[at])).join(","));
	};
	write([...LEADING_COLUMNS, ...Array.from({ length: width }, (_, at) => `value_${at + 1}`)]);
	for (const { section, block, columns, rows } of parts) {
		write([section, block, "columns", ...columns]);
		for (const row of rows) write([section, block, "row", ...row]);
	}
	return `${BYTE_ORDER_MARK}${lines.join("\r\n")}\r\n`;
}

function partsOf(report: ReportDocument): Part[] {
	const { title, subtitle, project, period, generated_at, data_through, draft = false } = report;
	const about = { title, subtitle, project, ...period, generated_at, data_through, draft };
	const parts: Part[] = [{ section: "", block: "report", columns: Object.keys(about), rows: [Object.values(about)] }];
	for (const { heading, blocks } of report.sections) {
		// Blocks without a title of their own are told apart by their place.
		for (const [at, block] of blocks.entries()) parts.push({ section: heading, ...partOf(block, at + 1) });
	}
	parts.push({ section: "", block: "notes", columns: ["note"], rows: report.notes.map((note) => [note]) });
	return parts;
}

function partOf(block: Block, place: number): Omit<Part, "section"> {
	const untitled = `${block.type} ${place}`;
	if (block.type === "text") return { block: untitled, columns: ["text"], rows: [[block.text]] };
	if (block.type === "figures") {
		const columns = ["label", "value", "unit", "change_percentage", "note"];
		const rows = block.items.map((item) => [item.label, item.value, item.unit, item.change_percentage, item.note]);
		return { block: untitled, columns, rows };
	}
	if (block.type === "insights") {
		const columns = ["insight", "text", "evidence", "value"];
		const rows = block.items.flatMap(({ text, evidence }, at) => [
			[at + 1, text],
			...evidence.map(({ label, value }) => [at + 1, text, label, value]),
		]);
		return { block: untitled, columns, rows };
	}
	if (block.type === "table") {
		const columns = block.columns.map(({ label, unit }) => withUnit(label, unit));
		const rows = block.rows.map((row) => block.columns.map(({ key }) => (Object.hasOwn(row, key) ? row[key] : null)));
		return { block: block.title || untitled, columns, rows };
	}
	const rows = block.series.flatMap(({ name, points }) => points.map(([x, y]) => [name, x, y]));
	return { block: block.title || untitled, columns: ["series", block.x, withUnit("value", block.unit)], rows };
}

const withUnit = (label: string, unit: string | undefined): string =>
	unit === undefined || unit === "" ? label : `${label} (${unit})`;

/** What a spreadsheet takes for a formula, also in its wide form: such a text gets an apostrophe before it. */
const FORMULA = /^[\s\p{Cc}\p{Cf}]*[=+\-@＝＋－＠]|^[\t\r\n]/u;

function csvField(value: Field): string {
	if (value === null || value === undefined) return "";
	if (typeof value !== "string") return String(value);
	const text = (FORMULA.test(value) ? `'${value}` : value).replace(/\p{Surrogate}/gu, "\ufffd");
	// An empty text is quoted, so that it differs from null.
	return text === "" || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
