/** What an expectation means: paths into an answer, instants relative to `as_of`, tolerances. See README.md of this folder. */

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

export interface Tolerance {
	readonly kind: string;
	readonly by?: number;
	readonly by_ms?: number;
	readonly lo?: number;
	readonly hi?: number;
	readonly to?: number;
	readonly type?: string;
}

export interface Expectation {
	readonly value?: Json;
	readonly tolerance: Tolerance;
}

/** Puts the time of the run into a value of the scenario. @param as_of milliseconds since the epoch */
export function resolved(value: Json, as_of: number): Json {
	if (value === null || typeof value !== "object") return value;
	if (Array.isArray(value)) return value.map((item: Json) => resolved(item, as_of));
	const members = value as { readonly [name: string]: Json };
	if (typeof members.t === "number") return instantBefore(as_of, members.t);
	if (typeof members.days === "number") {
		return new Date(as_of - members.days * 86_400_000).toISOString().slice(0, 10);
	}
	return Object.fromEntries(Object.entries(members).map(([name, member]) => [name, resolved(member, as_of)]));
}

/** RFC 3339 with milliseconds. @param seconds before `as_of`, with up to three decimals */
export function instantBefore(as_of: number, seconds: number): string {
	return new Date(as_of - Math.round(seconds * 1_000)).toISOString();
}

/** The value at a path of the answer; undefined where there is none. */
export function valueAt(answer: Json, path: string, as_of: number): Json | undefined {
	let value: Json | undefined = answer;
	for (const segment of segmentsOf(path)) {
		if (value === undefined || value === null || typeof value !== "object") return undefined;
		if (segment === "#") value = Array.isArray(value) ? value.length : undefined;
		else if (segment.startsWith("{")) value = memberWith(value, JSON.parse(unescaped(segment)) as Json, as_of);
		else value = (value as { readonly [name: string]: Json })[unescaped(segment)];
	}
	return value;
}

function unescaped(segment: string): string {
	return segment.replaceAll("~1", "/").replaceAll("~0", "~");
}

/** A slash within a selector does not part. */
function segmentsOf(path: string): string[] {
	const segments = path.slice(1).match(/(?:\{(?:"(?:[^"\\]|\\.)*"|[^"{}]|\{[^{}]*\})*\}|[^/])+/g);
	return segments ?? [];
}

function memberWith(list: Json, selector: Json, as_of: number): Json | undefined {
	if (!Array.isArray(list)) return undefined;
	const wanted = Object.entries(resolved(selector, as_of) as { readonly [name: string]: Json });
	return list.find((member: Json) => wanted.every(([name, value]) => same(memberOf(member, name), value)));
}

function memberOf(member: Json, name: string): Json | undefined {
	return member !== null && typeof member === "object" && !Array.isArray(member)
		? (member as { readonly [name: string]: Json })[name]
		: undefined;
}

/** Whether an answer's value is what was expected. */
export function isAsExpected(got: Json | undefined, { value, tolerance }: Expectation, as_of: number): boolean {
	const { kind, by = 0, by_ms = 0, lo = 0, hi = 0, to = 0, type = "" } = tolerance;
	if (kind === "null_or_absent") {
		return got === undefined || got === null || (typeof got === "object" && Object.keys(got).length === 0);
	}
	if (got === undefined) return false;
	const wanted = value === undefined ? undefined : resolved(value, as_of);
	const near = (distance: number) => typeof got === "number" && Math.abs(got - Number(wanted)) <= distance;
	switch (kind) {
		case "exact":
			return same(got, wanted);
		case "abs":
			return near(by);
		case "rel":
			return near(by * Math.abs(Number(wanted)) + 1e-15);
		case "range":
			return typeof got === "number" && got >= lo && got <= hi;
		case "time":
			return typeof got === "string" && Math.abs(Date.parse(got) - Date.parse(String(wanted))) <= by_ms;
		case "null":
			return got === null;
		case "null_or_zero":
			return got === null || got === 0;
		case "type":
			return type.split("|").includes(typeOf(got));
		case "subset":
			return Array.isArray(got) && (wanted as Json[]).every((item) => got.some((member: Json) => same(member, item)));
		case "sum": {
			const parts = Object.values(got as object).filter((part) => part !== null) as number[];
			return parts.length === 0 || Math.abs(parts.reduce((sum, part) => sum + part, 0) - to) <= by;
		}
		default:
			throw new Error(`unknown tolerance ${kind}`);
	}
}

function typeOf(value: Json): string {
	return value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
}

const INSTANT = /^\d{4}-\d\d-\d\dT/;

function same(got: Json | undefined, wanted: Json | undefined): boolean {
	if (typeof got === "number" && typeof wanted === "number") {
		return Math.abs(got - wanted) <= 1e-12 * Math.max(1, Math.abs(wanted));
	}
	if (typeof got === "string" && typeof wanted === "string" && INSTANT.test(got)) {
		return Date.parse(got) === Date.parse(wanted);
	}
	if (isObject(got) && isObject(wanted)) {
		const names = Object.keys(wanted);
		return names.length === Object.keys(got).length && names.every((name) => same(got[name], wanted[name]));
	}
	return JSON.stringify(got) === JSON.stringify(wanted);
}

/** An object, whose members have no order, or a list. */
function isObject(value: Json | undefined): value is { readonly [name: string]: Json } {
	return typeof value === "object" && value !== null;
}
