/** Whether what came back is what a test asserts. */
import { parseJsonPath, valueAt } from "../../schema/json-path.ts";
import type { Assertion, AssertionOperator } from "../../schema/wire/index.ts";

/** What an attempt saw; what it has none of is undefined. */
export interface Seen {
	readonly duration_ms: number;
	readonly status_code?: number | undefined;
	/** Names in lower case. */
	readonly headers?: Readonly<Record<string, string>> | undefined;
	readonly body?: string | undefined;
	/** The body is longer than what was read of it. */
	readonly truncated?: boolean | undefined;
	readonly tls_days_left?: number | undefined;
	readonly records?: readonly string[] | undefined;
}

type Scalar = string | number | boolean | null;

const SHOWN = 100;
const WORDS: Readonly<Record<AssertionOperator, string>> = {
	greater_than: "more than",
	greater_than_or_equal: "at least",
	less_than: "less than",
	less_than_or_equal: "at most",
	equal: "",
	not_equal: "not",
	contains: "something with",
	not_contains: "something without",
	starts_with: "something that starts with",
	exists: "anything",
	not_exists: "nothing",
};

/** What did not hold, each in words; nothing when all did. */
export function brokenAssertions(assertions: readonly Assertion[], seen: Seen): string[] {
	return assertions.flatMap((assertion) => {
		const problem = broken(assertion, seen);
		return problem === undefined ? [] : [problem];
	});
}

function broken(assertion: Assertion, seen: Seen): string | undefined {
	switch (assertion.type) {
		case "status_code":
			return differs("status code", seen.status_code, assertion.operator, assertion.value);
		case "response_time":
			return differs("response time in ms", Math.round(seen.duration_ms), assertion.operator, assertion.value);
		case "tls_days_left":
			if (seen.tls_days_left === undefined) return "the connection has no TLS";
			return differs(
				"days left of the certificate",
				Math.floor(seen.tls_days_left),
				assertion.operator,
				assertion.value,
			);
		case "header": {
			const value = seen.headers?.[assertion.name.toLowerCase()];
			return differs(`header ${assertion.name}`, value, assertion.operator, assertion.value, value !== undefined);
		}
		case "body":
			return brokenBody(assertion, seen);
		case "json_path":
			return brokenJson(assertion, seen);
		case "dns_record":
			return brokenRecord(assertion, seen.records ?? []);
	}
}

/** Not quoted in errors: a body may hold anything. */
function brokenBody(
	{ operator, value }: Assertion & { type: "body" },
	{ body = "", truncated }: Seen,
): string | undefined {
	if (holds(body, operator, value)) {
		// What comes after what was read could break it.
		const sure = !truncated || operator === "contains" || operator === "starts_with" || operator === "not_equal";
		return sure ? undefined : "the body is too long to be sure of it";
	}
	return `body: expected ${phrase(operator, value)}${truncated ? " in the part of it that was read" : ""}`;
}

function brokenJson(
	{ path, operator, value }: Assertion & { type: "json_path" },
	{ body = "", truncated }: Seen,
): string | undefined {
	if (truncated) return `${path}: the body is too long to be read as JSON`;
	let document: unknown;
	try {
		document = JSON.parse(body);
	} catch {
		return `${path}: the body is not JSON`;
	}
	const found = valueAt(document, parseJsonPath(path)!);
	const scalar = typeof found === "object" && found !== null ? JSON.stringify(found) : (found as Scalar | undefined);
	return differs(path, scalar, operator, value, found !== undefined);
}

/** Of several records it is enough that one fits; that one must not be there is meant of all. */
function brokenRecord({ operator, value }: Assertion & { type: "dns_record" }, records: readonly string[]) {
	const negative = operator === "not_equal" || operator === "not_contains";
	const fits = (record: string) => holds(record, operator, value);
	if (negative ? records.every(fits) : records.some(fits)) return undefined;
	return `dns record: expected ${phrase(operator, value)}, got ${show(records.join(", "))}`;
}

function differs(
	what: string,
	found: Scalar | undefined,
	operator: AssertionOperator,
	value: Scalar | undefined,
	exists = found !== undefined,
): string | undefined {
	if (operator === "exists" || operator === "not_exists") {
		return exists === (operator === "exists") ? undefined : `${what}: expected ${WORDS[operator]}, got ${got(found)}`;
	}
	// What is not there equals nothing, and contains nothing.
	const held = exists
		? holds(found as Scalar, operator, value ?? null)
		: operator === "not_equal" || operator === "not_contains";
	return held ? undefined : `${what}: expected ${phrase(operator, value)}, got ${got(found)}`;
}

/** Texts that are numbers compare as numbers with a number: headers have no others. */
export function holds(found: Scalar, operator: AssertionOperator, value: Scalar): boolean {
	switch (operator) {
		case "equal":
			return equal(found, value);
		case "not_equal":
			return !equal(found, value);
		case "contains":
			return String(found).includes(String(value));
		case "not_contains":
			return !String(found).includes(String(value));
		case "starts_with":
			return String(found).startsWith(String(value));
		case "exists":
		case "not_exists":
			return operator === "exists";
	}
	const [a, b] = [numeric(found), numeric(value)];
	if (a === undefined || b === undefined) return false;
	if (operator === "greater_than") return a > b;
	if (operator === "greater_than_or_equal") return a >= b;
	return operator === "less_than" ? a < b : a <= b;
}

function equal(found: Scalar, value: Scalar): boolean {
	if (found === value) return true;
	return typeof found === "string" && typeof value === "number" && numeric(found) === value;
}

function numeric(value: Scalar): number | undefined {
	if (typeof value === "number") return value;
	if (typeof value !== "string" || value.trim() === "") return undefined;
	const number = Number(value);
	return Number.isFinite(number) ? number : undefined;
}

function phrase(operator: AssertionOperator, value: Scalar | undefined): string {
	return `${WORDS[operator]} ${show(value)}`.trim();
}

function got(found: Scalar | undefined): string {
	return found === undefined ? "nothing" : show(found);
}

function show(value: Scalar | undefined): string {
	const text = JSON.stringify(value ?? null);
	return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
}
