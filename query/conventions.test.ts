import { expect, test } from "vitest";
import { acceptedNames, conventionKind, FAMILIES, recordKey } from "../schema/conventions/index.ts";
import { conventionsAnswer } from "../schema/wire/index.ts";
import { mentions } from "./conventions.ts";
import { CONVENTIONS, READS } from "./index.ts";
import { partsOf } from "./meta.ts";

const RECORDS = FAMILIES.flatMap(({ records }) => records);
const KEYS = new Set(RECORDS.map(recordKey));
/** Other names of a record are as good. */
const find = (key: string) =>
	RECORDS.find(
		(record) =>
			recordKey(record) === key ||
			acceptedNames(recordKey(record)).some((name) => recordKey({ signal: record.signal, name }) === key),
	);
/** Any record of the signal, where an attribute decides. */
const ANY = new Set(["metric", "event"]);

test("every record that a field needs is in the conventions, with the attribute it is made of", () => {
	const unknown = READS.flatMap(({ path, needs }) =>
		Object.entries(needs ?? {}).flatMap(([field, need]) => {
			return partsOf(need).flatMap(({ records, attribute }) =>
				records.flatMap((record) => {
					if (ANY.has(record)) return attribute === undefined ? [`${path} ${field}: any ${record}`] : [];
					const found = find(record);
					if (found === undefined) return [`${path} ${field}: ${record}`];
					const has = attribute === undefined || found.attributes.some(({ name }) => mentions(attribute, name));
					return has ? [] : [`${path} ${field}: ${record} with ${attribute}`];
				}),
			);
		}),
	);
	expect(unknown).toEqual([]);
});

test("a record stands in the conventions once, and so does each of its attributes", () => {
	expect(KEYS.size).toBe(RECORDS.length);
	for (const record of RECORDS) {
		const names = record.attributes.map(({ name }) => name);
		expect(new Set(names).size, recordKey(record)).toBe(names.length);
	}
});

test("a metric says its kind and unit, no other record does", () => {
	for (const { signal, kind, unit, name } of RECORDS) {
		expect(kind !== undefined && unit !== undefined, name).toBe(signal === "metric");
	}
});

test("a metric without a kind has that of the conventions, also under its other names, else gauge", () => {
	expect(conventionKind("http.server.request.duration")).toBe("distribution");
	expect(conventionKind("response_time")).toBe("distribution");
	expect(conventionKind("system.network.io")).toBe("counter");
	expect(conventionKind("system.cpu.utilization")).toBe("gauge");
	expect(conventionKind("made.up")).toBe("gauge");
	expect(conventionKind("constructor")).toBe("gauge");
});

test("the list is what its schema says", () => {
	expect(conventionsAnswer.parse(CONVENTIONS)).toEqual(CONVENTIONS);
});
test("every record of the conventions fills a field, or says why it fills none", () => {
	const idle = CONVENTIONS.families
		.flatMap(({ records }) => records)
		.filter(({ fills, fills_nothing }) => fills.length > 0 === (fills_nothing !== null))
		.map(({ signal, name }) => `${signal} ${name}`);
	expect(idle).toEqual([]);
});
