/** Assertions of synthetic tests: what must be true of an answer, and how the two dialects of operators are read. */
import { z } from "zod";
import { PATH_SYNTAX, parseJsonPath } from "../json-path.ts";
import { OPERATOR_ALIASES, OPERATORS } from "./alert-conditions.ts";

const TEXT_OPERATORS = ["contains", "not_contains", "starts_with", "exists", "not_exists"] as const;
export const ASSERTION_OPERATORS = [...OPERATORS, ...TEXT_OPERATORS] as const;
export type AssertionOperator = (typeof ASSERTION_OPERATORS)[number];

const operators = <const T extends readonly [AssertionOperator, ...AssertionOperator[]]>(
	usual: T[number],
	options: T,
) =>
	z
		.preprocess((given) => (typeof given === "string" ? (OPERATOR_ALIASES[given] ?? given) : given), z.enum(options))
		.default(usual as never)
		.describe("`<`, `<=`, `>`, `>=`, `=` and `!=` do as well.");

const value = z.union([z.string().max(10_000), z.number(), z.boolean(), z.null()]);
const needsNoValue = (operator: string) => operator === "exists" || operator === "not_exists";

const headerName = z.string().regex(/^[\w!#$%&'*+.^`|~-]{1,200}$/, "must be the name of a header");
const path = z
	.string()
	.max(500)
	.refine((text) => parseJsonPath(text) !== undefined, { params: { valid_options: [PATH_SYNTAX] } })
	.describe(`Of one value in a JSON body: ${PATH_SYNTAX}`);

export const assertion = z
	.discriminatedUnion("type", [
		z.strictObject({
			type: z.literal("status_code"),
			operator: operators("equal", OPERATORS),
			value: z.number().int().min(100).max(599),
		}),
		z.strictObject({
			type: z.literal("response_time"),
			operator: operators("less_than", OPERATORS),
			value: z.number().positive().describe("Milliseconds."),
		}),
		z.strictObject({
			type: z.literal("header"),
			name: headerName,
			operator: operators("equal", ASSERTION_OPERATORS),
			value: value.optional(),
		}),
		z.strictObject({
			type: z.literal("body"),
			operator: operators("contains", ["contains", "not_contains", "starts_with", "equal", "not_equal"]),
			value: z.string().max(10_000),
		}),
		z.strictObject({
			type: z.literal("json_path"),
			path,
			operator: operators("equal", ASSERTION_OPERATORS),
			value: value.optional(),
		}),
		z.strictObject({
			type: z.literal("tls_days_left"),
			operator: operators("greater_than_or_equal", OPERATORS),
			value: z.number().describe("Days until the certificate expires."),
		}),
		z.strictObject({
			type: z.literal("dns_record"),
			operator: operators("equal", ["equal", "not_equal", "contains", "not_contains", "starts_with"]),
			value: z.string().max(1_000).describe("A record as in a zone file; it must hold for any of the answer."),
		}),
	])
	.superRefine((given, context) => {
		if (!("value" in given) || given.value === undefined) {
			if ("operator" in given && needsNoValue(given.operator)) return;
			context.addIssue({ code: "custom", path: ["value"], message: `${given.operator} needs a value` });
		}
	});
export type Assertion = z.infer<typeof assertion>;
export type AssertionType = Assertion["type"];
