import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { BodyFormat } from "../body.ts";
import { parseMetric } from "../parse/metric.ts";
import { Problem } from "../parse/problem.ts";
import { timeBounds } from "../parse/time.ts";
import { splitRecords } from "../records.ts";
import { SeriesRegistry } from "../series.ts";
import { Cursor } from "./cursor.ts";
import { MetricScanner } from "./metrics.ts";
import { scanRecords } from "./records.ts";

const NOW = Date.UTC(2026, 4, 17, 12, 34, 56, 789);
const BOUNDS = timeBounds(NOW, 90);
const MAX_RECORDS = 50;
const cursor = new Cursor();

/** What a body means: every point as text, or undefined when not all of it can be taken. */
function plain(body: Buffer, format: BodyFormat): string[] | undefined {
	let records: unknown[];
	try {
		records = splitRecords(body, format, MAX_RECORDS);
	} catch {
		return undefined;
	}
	const points: string[] = [];
	for (const record of records) {
		if (record instanceof Problem) return undefined;
		if (typeof record === "object" && record !== null && "type" in record && record.type !== "metric") return undefined;
		const metric = parseMetric(record, BOUNDS);
		if (metric instanceof Problem) return undefined;
		const { name, tags, kind = "gauge", unit, timestamps, values } = metric;
		points.push(...timestamps.map((ts, i) => JSON.stringify([name, tags, kind, unit, ts, values[i]])));
	}
	return points;
}

function scanned(
	scanner: MetricScanner,
	registry: SeriesRegistry,
	body: Buffer,
	format: BodyFormat,
): string[] | undefined {
	scanner.begin(false, "p", BOUNDS, (name, tags, kind, unit) =>
		registry.resolve("p", name, tags, kind ?? "gauge", unit),
	);
	if (scanRecords(cursor, body, format, MAX_RECORDS, scanner) === -1) return undefined;
	return Array.from({ length: scanner.points }, (_, i) => {
		const { family, tags, unit } = scanner.series[i]!;
		return JSON.stringify([family.name, tags, family.kind, unit, scanner.ts[i], scanner.values[i]]);
	});
}

const text = fc.oneof(
	fc.constantFrom("cpu", "host", "a.b", "kind", "Ünïcode", "日本", "", " ", "__proto__", "x".repeat(250)),
	fc.string({ maxLength: 8 }),
);
const number = fc.oneof(
	fc.double({ noDefaultInfinity: true, noNaN: true }),
	fc.integer(),
	fc.constantFrom(0.1, 1.005, 123456.789),
);
const time = fc.oneof(
	fc.integer({ min: NOW - 10 ** 9, max: NOW + 10 ** 6 }),
	fc.integer({ min: NOW - 10 ** 9, max: NOW }).map((ms) => new Date(ms).toISOString()),
	fc.integer({ min: NOW - 10 ** 9, max: NOW }).map((ms) => new Date(ms).toISOString().replace(/\.\d+Z/, "Z")),
	fc.constantFrom(0, -1, "yesterday", "2026-02-30T00:00:00Z", "2026-05-01T00:00:00+02:00", NOW / 1_000, NOW * 1e6),
);
const tags = fc.dictionary(text, fc.oneof(text, number, fc.boolean()), { maxKeys: 3 });
const shared = {
	name: text,
	tags,
	unit: fc.constantFrom("s", "", "By"),
	kind: fc.constantFrom("gauge", "counter", "distribution", "cumulative", "", "other"),
	type: fc.constantFrom("metric", "event"),
};
const record = fc.oneof(
	{
		weight: 6,
		arbitrary: fc.record({ ...shared, value: number, timestamp: time }, { requiredKeys: ["name", "value"] }),
	},
	{
		weight: 2,
		arbitrary: fc.record(
			{ ...shared, timestamps: fc.array(time, { maxLength: 4 }), values: fc.array(number, { maxLength: 4 }) },
			{ requiredKeys: ["name", "timestamps", "values"] },
		),
	},
	{
		weight: 1,
		arbitrary: fc.record({ ...shared, value: fc.jsonValue(), extra: fc.jsonValue() }, { requiredKeys: [] }),
	},
);
const usual = fc.record(
	{
		name: fc.constantFrom("cpu", "memory", "日本"),
		value: fc
			.double({ noDefaultInfinity: true, noNaN: true, min: -1e6, max: 1e6 })
			.map((value) => Number(value.toFixed(3))),
		tags: fc.dictionary(fc.constantFrom("host", "zone", "component"), fc.constantFrom("a", "b", "ü"), { maxKeys: 3 }),
		timestamp: fc.integer({ min: NOW - 10 ** 9, max: NOW }),
	},
	{ requiredKeys: ["name", "value"] },
);
/** JSON text of a record with its members in any order and white space anywhere between them. */
const render = (records: fc.Arbitrary<object>) =>
	fc.tuple(records, fc.infiniteStream(fc.constantFrom("", "", " ", "\t"))).map(([value, spaces]) => {
		const space = () => spaces.next().value as string;
		const members = Object.entries(value).map(
			([key, member]) => `${space()}"${key}"${space()}:${space()}${JSON.stringify(member)}${space()}`,
		);
		return `{${members.join(",")}}`;
	});
const rendered = render(fc.oneof({ weight: 1, arbitrary: record }, { weight: 4, arbitrary: usual }));
const body = fc.oneof(
	fc.array(render(usual), { minLength: 1, maxLength: 6 }).map((lines) => lines.join("\n")),
	fc
		.tuple(fc.array(rendered, { maxLength: 6 }), fc.constantFrom("\n", "\r\n", "\n\n", " "))
		.map(([lines, end]) => lines.join(end)),
	fc.array(rendered, { maxLength: 6 }).map((records) => `[${records.join(" , ")}]`),
	rendered,
	rendered.map((one) => `{"records":[${one}]}`),
);

describe("the metric scanner", () => {
	// One scanner and one registry for all bodies, as in the server: what it cached must not change what it takes.
	const scanner = new MetricScanner(cursor);
	const registry = new SeriesRegistry({ perProject: 1e6 });

	it("takes exactly what the plain path takes, or nothing of the body", () => {
		let taken = 0;
		fc.assert(
			fc.property(body, fc.constantFrom<BodyFormat>("json", "ndjson"), (source, format) => {
				const bytes = Buffer.from(source);
				const points = scanned(scanner, registry, bytes, format);
				if (points === undefined) return;
				taken++;
				expect(points).toEqual(plain(bytes, format));
			}),
			{ numRuns: 3_000 },
		);
		expect(taken).toBeGreaterThan(300);
	});

	it("takes nothing of a body that is damaged anywhere", () => {
		fc.assert(
			fc.property(body, fc.nat(), fc.nat(255), (source, place, byte) => {
				const bytes = Buffer.from(source);
				if (bytes.length > 0) bytes[place % bytes.length] = byte;
				const points = scanned(scanner, registry, bytes, "ndjson");
				if (points !== undefined) expect(points).toEqual(plain(bytes, "ndjson"));
			}),
			{ numRuns: 3_000 },
		);
	});

	it.each([
		['[{"name":"a","value":1}]', 1],
		['{"name":"a","value":1.5,"tags":{"h":"x"},"timestamp":1779020000000}\n{"value":-2,"name":"a"}\n', 2],
		['{"name":"a","timestamps":[1779020000,"2026-05-17T12:00:00.250Z"],"values":[1,2.25]}', 2],
	])("takes the usual forms without the plain path: %s", (source, points) => {
		const format = source.startsWith("[") ? "json" : "ndjson";
		expect(scanned(scanner, registry, Buffer.from(source), format)).toHaveLength(points);
	});

	it("follows a series whose kind changes", () => {
		const take = (kind: string) =>
			scanned(scanner, registry, Buffer.from(`{"name":"k","value":1,"kind":"${kind}"}`), "json");
		for (const kind of ["gauge", "counter", "gauge"]) expect(take(kind)![0]).toContain(`"${kind}"`);
	});

	it("takes series that come in turns for what they are, also where one is not like the last time", () => {
		const line = (i: number, rest = "") =>
			`{"name":"turn","tags":{"host":"h${i % 5}"},"value":${i / 4},"timestamp":${NOW - i}${rest}}`;
		const turns = (change: (i: number) => string) => Array.from({ length: 20 }, (_, i) => change(i)).join("\n");
		const bodies = [
			turns((i) => line(i)),
			turns((i) => line(i)),
			turns((i) => (i === 7 ? line(i).replace('"tags":{"host":"h2"},', "") : line(i))),
			turns((i) => (i === 7 ? line(i, ',"kind":"counter"') : line(i))),
			turns((i) => (i === 7 ? line(i).replace(`,"timestamp":${NOW - i}`, "") : line(i))),
			turns((i) => (i === 7 ? line(i).replace(":", " : ") : line(i))),
			turns((i) => line(i + (i > 7 ? 1 : 0))),
		];
		for (const body of bodies) {
			const bytes = Buffer.from(body);
			const points = scanned(scanner, registry, bytes, "ndjson");
			expect(points, body).toHaveLength(20);
			expect(points).toEqual(plain(bytes, "ndjson"));
		}
		for (const wrong of [line(3, ',"value":1'), line(3).slice(0, -1), line(3).replace("0.75", ""), `${line(3)}}`]) {
			expect(scanned(scanner, registry, Buffer.from(`${line(2)}\n${wrong}`), "ndjson")).toBeUndefined();
		}
	});
});
