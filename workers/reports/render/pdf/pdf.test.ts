import { beforeAll, expect, test } from "vitest";
import type { ReportDocument } from "../../../../schema/report-document.ts";
import { type Page, readPages } from "../../../../tests/support/pdf-pages.ts";
import { NAMES, sampleReport } from "../../../../tests/support/sample-report.ts";
import { Fonts } from "./fonts.ts";
import { renderPdf } from "./pdf.ts";
import { colourOf, PAGE } from "./theme.ts";

const report = sampleReport();
let pdf: Buffer;
let pages: readonly Page[];
let info: Record<string, unknown>;
beforeAll(async () => {
	pdf = await renderPdf(report);
	// TIDEMARK_PAGES=folder leaves the pages there as pictures, for people to look at.
	({ pages, info } = await readPages(pdf, { pictures: 2, folder: process.env.TIDEMARK_PAGES }));
});

test("every page says which report it is of, of which days, how far the data goes, and which page it is", () => {
	expect(pages.length).toBeGreaterThan(8);
	for (const [index, page] of pages.entries()) {
		const told = ["Weekly performance report", "vega · Продакшн", "2026-03-23 to 2026-03-29 (Europe/Berlin)"];
		for (const text of [...told, "Data through 2026-03-29 23:59:58", `${index + 1} / ${pages.length}`]) {
			expect(page.has(text), `page ${index + 1}: ${text}`).toBe(true);
		}
		expect(page.has("DRAFT")).toBe(true);
	}
});

test("a table that takes several pages has its header on each, and every row once", () => {
	const ofTable = pages.filter((page) => page.has("Last seen"));
	expect(ofTable.length).toBeGreaterThan(6);
	const header = ofTable.map((page) => page.find("Last seen").y);
	// At the top of all pages but the first of them.
	for (const y of header.slice(1)) expect(y).toBeLessThan(PAGE.top + 16);
	const left = ofTable[0]!.find("#").x;
	const ranks = ofTable.flatMap((page, index) =>
		page.texts
			.filter(({ x, y, text }) => x < left + 8 && y > header[index]! && y < PAGE.height - 50 && /^\d+$/.test(text))
			.map(({ text }) => Number(text)),
	);
	expect(ranks).toEqual(Array.from({ length: 300 }, (_, at) => at + 1));
});

test("a table that is wider than the page goes on below, each part with the names of its rows", () => {
	const page = pages.find((one) => one.has("Hours of the day"))!;
	expect(page.texts.filter(({ text }) => text === "Customer").length).toBeGreaterThanOrEqual(2);
	expect(page.has("00:00") && page.has("23:00")).toBe(true);
});

test("names of every script are there as text and as glyphs, and what no font has is named", async () => {
	const all = pages.map(({ text }) => text).join("");
	for (const name of NAMES) expect(all).toContain(name.replace(/\s+/g, ""));
	const fonts = await Fonts.load(new Map([["regular" as const, [...NAMES, "\ufffd"]]]));
	expect([...fonts.missing]).toEqual([]);
	expect(pages.at(-1)!.has("U+05D5, U+05DC, U+05DD, U+05E9, U+1F600")).toBe(true);
});

test("each character has a picture of its own, not the box of a missing glyph", async () => {
	const characters = ["Ж", "Ω", "ž", "ỗ", "北", "龍", "込", "カ", "한", "値"];
	const rows = characters.map((name) => ({ name }));
	const { pages: drawn } = await readPages(
		await renderPdf(bare([{ type: "table", columns: [{ key: "name", label: "Name" }], rows }])),
		{ pictures: 1 },
	);
	const page = drawn[0]!;
	const pictures = characters.map((character) => {
		const { x, y } = page.find(character);
		return page.cutOut({ left: x, right: x + 9, top: y - 8, bottom: y + 1.5 });
	});
	expect(new Set(pictures).size).toBe(characters.length);
});

test("a line stops where nothing is known, and only there", () => {
	const page = pages.find((one) => one.has("Requests per hour"))!;
	// Between the first tick and the last, a day apart each.
	const first = page.find("23 Mar");
	const plot = { left: PAGE.left + 20, right: PAGE.width - PAGE.right, top: first.y - 180, bottom: first.y - 12 };
	const columns = (ink: `series-${number}`) =>
		new Set(page.coloured(colourOf(ink), plot).map(({ x }) => Math.floor(x)));
	const [whole, broken] = [columns("series-0"), columns("series-1")];
	const [from, to] = [Math.min(...whole), Math.max(...whole)];
	const hours = 7 * 24 - 2;
	const gaps: number[] = [];
	for (let x = from + 2; x <= to - 2; x++) if (!broken.has(x)) gaps.push(((x - from) / (to - from)) * hours);
	for (let x = from + 2; x <= to - 2; x++) expect(whole.has(x), `column ${x}`).toBe(true);
	// Hours 61 to 83 are null: the line ends at 60 and begins again at 84.
	expect(Math.min(...gaps)).toBeGreaterThan(60);
	expect(Math.max(...gaps)).toBeLessThan(84);
	expect(gaps.length).toBeGreaterThan(((to - from) / hours) * 20);
});

test("bars are as long as their values say, and days begin at midnight of the zone", () => {
	const page = pages.find((one) => one.has("Errors per day"))!;
	const [zero, top] = [page.find("0").y, page.find("2,000").y];
	const ticks = ["23 Mar", "24 Mar", "25 Mar", "26 Mar", "27 Mar", "28 Mar", "29 Mar"].map(
		(text) => page.find(text).x + 12,
	);
	const values = [412, 388, 1650, 402, null, 210, 198];
	for (const [day, value] of values.entries()) {
		const area = { left: ticks[day]!, right: ticks[day]! + 55, top: top - 10, bottom: zero - 2.6 };
		const bar = page.coloured(colourOf("series-0"), area).map(({ y }) => y);
		if (value === null) expect(bar).toEqual([]);
		else {
			const length = Math.max(...bar) - Math.min(...bar) + 0.5;
			expect(Math.abs(length - (value / 2000) * (zero - top)), `day ${day}`).toBeLessThan(1.5);
		}
	}
});

test("what is not known is a dash, and 0 is 0", () => {
	const page = pages[0]!;
	expect(page.find("–").y).toBeGreaterThan(page.find("Customers that left").y);
	expect(page.find("0").y).toBeGreaterThan(page.find("Open incidents").y);
});

test("the same report is the same bytes, dated when it was generated", async () => {
	expect((await renderPdf(sampleReport())).equals(pdf)).toBe(true);
	expect(info).toMatchObject({ Title: report.title, CreationDate: "D:20260330070012Z", ModDate: "D:20260330070012Z" });
});

test("of a very long table the first rows are shown, and it is said", async () => {
	const rows = Array.from({ length: 20_000 }, (_, at) => ({ at }));
	const long = await renderPdf(bare([{ type: "table", columns: [{ key: "at", label: "Row" }], rows }]));
	const { pages: drawn } = await readPages(long);
	expect(drawn.length).toBeLessThan(60);
	expect(drawn.at(-1)!.has("1,999")).toBe(true);
	expect(
		drawn.at(-1)!.has("The first 2,000 of 20,000 rows are shown. The CSV and the JSON of this report have all."),
	).toBe(true);
});

function bare(blocks: ReportDocument["sections"][number]["blocks"]): ReportDocument {
	const { draft: _, ...rest } = report;
	return { ...rest, sections: [{ heading: "Part", blocks }], notes: [] };
}
