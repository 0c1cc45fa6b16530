import { parse } from "csv-parse/sync";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Block, type ReportDocument, reportDocument } from "../../../schema/report-document.ts";
import { REPORT_FORMATS } from "../../../schema/wire/index.ts";
import { NAMES, sampleReport } from "../../../tests/support/sample-report.ts";
import { renderCsv } from "./csv.ts";
import { renderHtml } from "./html/html.ts";
import { renderPdf } from "./pdf/pdf.ts";
import { renderReport } from "./render.ts";
import type { RenderError } from "./sandbox.ts";

// Texts that would do something if they were not escaped, measured or broken; `<q` marks what must not be a tag.
const text = fc.oneof(
	fc.string({ unit: "grapheme", maxLength: 12 }),
	fc.string({ unit: "binary", maxLength: 12 }),
	fc.constantFrom(
		...NAMES,
		"<q onload='x()'>",
		"</style><q>",
		'"><q x="',
		"a\r\nb\n\nc",
		"-1",
		"=1+1",
		" @SUM(A1)",
		"\ud800",
		"",
		"\u202Eabc",
	),
	fc.constantFrom("constructor", "__proto__", "x".repeat(900), "word ".repeat(120), "字".repeat(90)),
);
const number = fc.oneof(
	fc.double({ noNaN: true, noDefaultInfinity: true }),
	fc.integer({ min: -2_000_000, max: 2_000_000 }),
	fc.constantFrom(0, -0, 5e-324, -1.7976931348623157e308, 1.7976931348623157e308, 1e21, 0.1),
);
const instant = fc
	.date({ min: new Date("0001-02-01"), max: new Date("9998-12-01"), noInvalidDate: true })
	.map((date) => date.toISOString());
const near = fc.integer({ min: 0, max: 5_000_000_000 }).map((at) => new Date(1_774_000_000_000 + at).toISOString());
const value = fc.oneof(number, text, fc.constant(null));
const maybe = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: undefined });
const present = <T extends object>(given: T): T =>
	Object.fromEntries(Object.entries(given).filter(([, member]) => member !== undefined)) as T;

const figures = fc.record({
	type: fc.constant("figures" as const),
	items: fc.array(
		fc
			.record({ label: text, value, unit: maybe(text), change_percentage: maybe(fc.option(number)), note: maybe(text) })
			.map(present),
		{ maxLength: 6 },
	),
});
const chart = fc.constantFrom("time" as const, "category" as const).chain((x) =>
	fc
		.record({
			type: fc.constantFrom("line_chart" as const, "bar_chart" as const),
			title: text,
			unit: maybe(text),
			x: fc.constant(x),
			series: fc.array(
				fc.record({
					name: text,
					points: fc.array(fc.tuple(x === "time" ? fc.oneof(near, instant) : text, fc.option(number)), {
						maxLength: 20,
					}),
				}),
				{ maxLength: 15 },
			),
		})
		.map(present),
);
const table = fc
	.array(
		fc
			.record({
				key: text,
				label: text,
				unit: maybe(text),
				align: maybe(fc.constantFrom("left" as const, "right" as const)),
			})
			.map(present),
		{ maxLength: 14 },
	)
	.chain((columns) =>
		fc.record({
			type: fc.constant("table" as const),
			title: text,
			columns: fc.constant(columns),
			rows: fc.array(
				fc
					.array(fc.oneof(value, fc.boolean(), instant), { minLength: columns.length, maxLength: columns.length })
					.map((cells) => Object.fromEntries(columns.map(({ key }, at) => [key, cells[at]!]))),
				{ maxLength: 8 },
			),
		}),
	);
const insights = fc.record({
	type: fc.constant("insights" as const),
	items: fc.array(fc.record({ text, evidence: fc.array(fc.record({ label: text, value }), { maxLength: 3 }) }), {
		maxLength: 4,
	}),
});
const block: fc.Arbitrary<Block> = fc.oneof(
	figures,
	chart,
	table,
	insights,
	fc.record({ type: fc.constant("text" as const), text }),
);
const report: fc.Arbitrary<ReportDocument> = fc
	.record({
		title: text,
		subtitle: maybe(text),
		project: text,
		period: fc.record({
			start: instant,
			end: instant,
			timezone: fc.constantFrom("UTC", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe"),
		}),
		generated_at: instant,
		data_through: fc.option(instant),
		draft: maybe(fc.boolean()),
		sections: fc.array(fc.record({ heading: text, blocks: fc.array(block, { maxLength: 4 }) }), { maxLength: 3 }),
		notes: fc.array(text, { maxLength: 3 }),
	})
	.map(present);

const SEED = { seed: 20260330 };

test("CSV parses back: records of one width, every number exact, every null an empty field", () => {
	fc.assert(
		fc.property(report, (document) => {
			const records = parse(renderCsv(document), { bom: true, record_delimiter: "\r\n" }) as string[][];
			expect(new Set(records.map(({ length }) => length)).size).toBe(1);
			expect(records[0]!.slice(0, 4)).toEqual(["section", "block", "record", "value_1"]);
			const given = document.sections.flatMap(({ blocks }) =>
				blocks.flatMap((one): unknown[][] =>
					one.type === "table" ? one.rows.map((row) => one.columns.map(({ key }) => row[key])) : [],
				),
			);
			const tables = document.sections.flatMap(({ blocks }) => blocks.filter((one) => one.type === "table"));
			if (tables.length !== 1 || given.length === 0 || document.sections.length !== 1) return;
			const at = document.sections[0]!.blocks.indexOf(tables[0]!);
			const before = document.sections[0]!.blocks.slice(0, at).reduce((sum, one) => sum + 1 + rowsOf(one), 3);
			const rows = records
				.slice(before + 1, before + 1 + given.length)
				.map((fields) => fields.slice(3, 3 + tables[0]!.columns.length));
			expect(rows.map((fields) => fields.map(undefused))).toEqual(given.map((cells) => cells.map(asField)));
		}),
		{ ...SEED, numRuns: 200 },
	);
});

/** Records of a block below the names of its columns. */
function rowsOf(one: Block): number {
	if (one.type === "figures") return one.items.length;
	if (one.type === "table") return one.rows.length;
	if (one.type === "insights") return one.items.reduce((sum, { evidence }) => sum + 1 + evidence.length, 0);
	return one.type === "text" ? 1 : one.series.reduce((sum, { points }) => sum + points.length, 0);
}
const asField = (cell: unknown) =>
	cell === null || cell === undefined ? "" : String(cell).replace(/\p{Surrogate}/gu, "\ufffd");
const undefused = (field: string) => field.replace(/^'(?=[\s\p{Cc}\p{Cf}]*[=+\-@＝＋－＠]|[\t\r\n])/u, "");

test("no text of a CSV begins a formula, and numbers below 0 stay numbers", () => {
	const rows = ["=1+1", "+1", "-1", "@x", "\t=1", "  =1", "＝1", "\r=1", "a=1"].map((name) => ({ name, value: -2.5 }));
	const columns = [
		{ key: "name", label: "=cmd" },
		{ key: "value", label: "v" },
	];
	const csv = renderCsv({
		...sampleReport(1),
		sections: [{ heading: "+h", blocks: [{ type: "table", columns, rows }] }],
	});
	const records = parse(csv, { bom: true }) as string[][];
	for (const field of records.flat()) if (field !== "-2.5") expect(field).not.toMatch(/^\s*[=+\-@＝]/);
	expect(records.filter((record) => record[4] === "-2.5")).toHaveLength(rows.length);
	expect(records.map((record) => record[3])).toContain("a=1");
});

test("HTML holds no text that was not escaped, loads nothing and runs nothing", () => {
	fc.assert(
		fc.property(report, (document) => {
			const html = renderHtml(document);
			expect(html).not.toContain("<q");
			expect(html).not.toMatch(/<(script|img|iframe|link|object|base)\b/i);
			// Without our style and our tags, whose values have no quotes in them, nothing is left that could be a tag.
			const TAGS =
				/<\/?(html|head|meta|title|style|body|main|header|p|h[1-3]|div|span|section|dl|dt|dd|small|ul|li|b|svg|path|text|table|thead|tbody|tr|th|td|footer)(\s[a-zA-Z-]+="[^"<>]*")*\/?>/g;
			expect(
				html
					.replace("<!doctype html>", "")
					.replace(/<style>[^<]*<\/style>/, "")
					.replace(TAGS, ""),
			).not.toMatch(/[<>]/);
		}),
		{ ...SEED, numRuns: 100 },
	);
});

test("HTML tells every name as it is", () => {
	const html = renderHtml(sampleReport(20));
	const unescaped = html
		.replaceAll("&lt;", "<")
		.replaceAll("&gt;", ">")
		.replaceAll("&quot;", '"')
		.replaceAll("&#39;", "'")
		.replaceAll("&amp;", "&");
	for (const name of NAMES) expect(unescaped).toContain(`>${name}<`);
	expect(html).toContain('<span class="draft">Draft</span>');
	expect(html).toContain("Data through 2026-03-29 23:59:58");
});

test("any report becomes a PDF, whatever its texts and numbers are", async () => {
	await fc.assert(
		fc.asyncProperty(report, async (document) => {
			expect((await renderPdf(document)).subarray(0, 5).toString()).toBe("%PDF-");
		}),
		{ ...SEED, numRuns: Number(process.env.TIDEMARK_RUNS ?? 10) },
	);
});

test("JSON is the report itself, with its members in one order", async () => {
	const given = sampleReport(5);
	const json = (await renderReport(given, "json")).toString();
	expect(reportDocument.parse(JSON.parse(json))).toEqual(given);
	const { notes, sections, ...rest } = given;
	expect((await renderReport({ notes, sections, ...rest }, "json")).toString()).toBe(json);
});

test("what is no report is refused", async () => {
	const given = sampleReport(1);
	await expect(renderReport({ ...given, period: { ...given.period, timezone: "Mars/Base" } }, "csv")).rejects.toThrow(
		/IANA/,
	);
	const points: [string, number][] = [["yesterday", 1]];
	const blocks = [{ type: "line_chart" as const, title: "t", x: "time" as const, series: [{ name: "s", points }] }];
	await expect(renderReport({ ...given, sections: [{ heading: "h", blocks }] }, "csv")).rejects.toThrow(/RFC 3339/);
});

test("drawing has a process of its own, which is ended when it takes too long, too much, or is not wanted any more", async () => {
	const given = sampleReport(40);
	const drawn = await Promise.all(REPORT_FORMATS.map((format) => renderReport(given, format)));
	expect(drawn.map((file) => file.subarray(0, 5).toString())).toEqual(['{\n\t"t', "\ufeffse", "<!doc", "%PDF-"]);
	// The same bytes as in this process.
	expect(drawn[2]!.toString()).toBe(renderHtml(given));
	const reason = (error: RenderError) => error.reason;
	const limits = [{ timeoutMs: 1 }, { memoryMb: 4 }, { outputBytes: 100 }, { signal: AbortSignal.abort() }];
	const ended = limits.map((limit) => renderReport(given, "html", limit).then(() => "done", reason));
	expect(await Promise.all(ended)).toEqual(["timeout", "memory", "output", "aborted"]);
	const controller = new AbortController();
	const later = renderReport(given, "pdf", { signal: controller.signal }).then(() => "done", reason);
	controller.abort();
	expect(await later).toBe("aborted");
});
