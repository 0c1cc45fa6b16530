import type { Context } from "hono";
import type { z } from "zod";
import { ApiError, badParameter } from "./errors.ts";

/** A body of a definition (a key, an alert, a dashboard); telemetry has limits of its own. */
const MAX_BODY_BYTES = 1_048_576;

/**
 * The query parameters of a request by a schema. A parameter the route does not have, or one given twice, is refused: a
 * misspelt filter that is ignored answers another question than the one asked.
 * @param also parameters that the route reads by itself, as often as they are given
 * @throws ApiError 400
 */
export function parseQuery<S extends z.ZodObject>(c: Context, schema: S, also: readonly string[] = []): z.infer<S> {
	const given = c.req.queries();
	const known = Object.keys(schema.shape);
	const input: Record<string, string> = {};
	for (const [name, values] of Object.entries(given)) {
		if (also.includes(name)) continue;
		if (!known.includes(name)) {
			throw badParameter({
				message: `Unknown parameter ${name}`,
				parameter: name,
				// Where a key is no parameter it is not repeated either: answers end up in logs of clients.
				provided: name === "api_key" ? "(not shown)" : values[0],
				valid_options: known,
			});
		}
		if (values.length > 1) {
			throw badParameter({
				parameter: name,
				provided: values,
				valid_options: ["one value"],
				reason: `${name} is given ${values.length} times`,
			});
		}
		input[name] = values[0]!;
	}
	const parsed = schema.safeParse(input);
	if (parsed.success) return parsed.data;
	throw fromIssue(parsed.error.issues[0]!, input);
}

/**
 * The JSON body of a request by a schema.
 * @throws ApiError 400, 413, 415
 */
export async function parseBody<S extends z.ZodType>(c: Context, schema: S): Promise<z.infer<S>> {
	const type = c.req.header("content-type")?.split(";")[0]?.trim().toLowerCase();
	if (type !== undefined && type !== "application/json") {
		throw new ApiError(415, `Content-Type ${type} is not supported: send application/json`);
	}
	const text = await readText(c);
	let input: unknown;
	try {
		input = JSON.parse(text);
	} catch (cause) {
		throw new ApiError(400, "The body is not JSON", { cause });
	}
	return validated(schema, input);
}

/** What a client sent, or what becomes of it, by a schema. @throws ApiError 400 */
export function validated<S extends z.ZodType>(schema: S, input: unknown): z.infer<S> {
	const parsed = schema.safeParse(input);
	if (parsed.success) return parsed.data;
	throw fromIssue(parsed.error.issues[0]!, input);
}

async function readText(c: Context): Promise<string> {
	const tooLarge = () => new ApiError(413, `The body is over ${MAX_BODY_BYTES} bytes`);
	if (Number(c.req.header("content-length") ?? 0) > MAX_BODY_BYTES) throw tooLarge();
	const chunks: Uint8Array[] = [];
	let size = 0;
	for await (const chunk of c.req.raw.body ?? []) {
		size += chunk.byteLength;
		if (size > MAX_BODY_BYTES) throw tooLarge();
		chunks.push(chunk);
	}
	return Buffer.concat(chunks).toString("utf8");
}

function fromIssue(issue: z.core.$ZodIssue, input: unknown): ApiError {
	if (issue.code === "unrecognized_keys") {
		const parameter = [...issue.path, issue.keys[0]].join(".");
		return badParameter({
			message: `Unknown member ${parameter}`,
			parameter,
			provided: issue.keys[0],
			valid_options: [],
		});
	}
	const parameter = issue.path.join(".");
	const provided = issue.path.reduce<unknown>(
		(value, step) => (value as Record<PropertyKey, unknown> | undefined)?.[step],
		input,
	);
	if (issue.code === "invalid_value") {
		return badParameter({ parameter, provided: provided ?? null, valid_options: issue.values });
	}
	// A member that says what the rest is: its words are the options.
	if (issue.code === "invalid_union" && "options" in issue && Array.isArray(issue.options))
		return badParameter({ parameter, provided: provided ?? null, valid_options: issue.options });
	const options = issue.code === "custom" ? (issue.params?.valid_options as unknown[] | undefined) : undefined;
	return badParameter({
		parameter,
		provided: provided ?? null,
		valid_options: options ?? [],
		reason: issue.message,
	});
}
