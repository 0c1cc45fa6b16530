/** Splits a body into records, told apart only as far as their JSON goes. */
import { ApiError } from "../http/errors.ts";
import type { BodyFormat } from "./body.ts";
import { Problem } from "./parse/problem.ts";
import { isObject } from "./parse/text.ts";
import { assertModest } from "./structure.ts";

/**
 * One record, an array, `{"records": [...]}`, or NDJSON. A line that is not JSON is a `Problem` in its place; blank lines are
 * not records.
 * @throws ApiError 400 when the body as a whole is no JSON, 413 when it has more than `maxRecords` or is little but structure
 */
export function splitRecords(body: Buffer, format: BodyFormat, maxRecords: number): unknown[] {
	assertModest(body);
	const text = body.toString("utf8");
	const records = format === "ndjson" ? splitLines(text, maxRecords) : splitJson(text);
	if (records.length > maxRecords) {
		throw new ApiError(413, `More than ${maxRecords} records in one request`, {
			extra: {
				limit: maxRecords,
				details: { parameter: "records", provided: records.length, valid_options: [`1 to ${maxRecords}`] },
			},
		});
	}
	return records;
}

function splitJson(text: string): unknown[] {
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch (cause) {
		throw new ApiError(400, `The body is not JSON: ${withoutExcerpt(cause as Error)}`);
	}
	if (Array.isArray(value)) return value;
	if (isObject(value) && Object.hasOwn(value, "records")) {
		const { records } = value;
		if (Array.isArray(records)) return records;
		throw new ApiError(400, "records must be an array", {
			extra: { details: { parameter: "records", provided: typeof records, valid_options: ["an array of records"] } },
		});
	}
	return [value];
}

function splitLines(text: string, maxRecords: number): unknown[] {
	const records: unknown[] = [];
	for (let from = 0; from < text.length && records.length <= maxRecords; ) {
		let to = text.indexOf("\n", from);
		if (to === -1) to = text.length;
		const line = text.slice(from, to);
		from = to + 1;
		if (line.trim() === "") continue;
		try {
			records.push(JSON.parse(line));
		} catch (error) {
			records.push(new Problem("", `not JSON: ${withoutExcerpt(error as Error)}`));
		}
	}
	return records;
}

/** V8 quotes from the text, which may be what must not be kept: answers are, for as long as their Idempotency-Key. */
function withoutExcerpt({ message }: Error): string {
	return message.replace(/, (\.\.\.)?".*$/s, "");
}
