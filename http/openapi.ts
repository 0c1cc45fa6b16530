import { z } from "zod";
import type { ConventionsAnswer } from "../schema/wire/index.ts";
import { type Role, roleWords } from "./roles.ts";

/** What the reference says of a route; the schemas are those that validate its requests and answers. */
export interface RouteDoc {
	readonly method: "get" | "post" | "put" | "patch" | "delete";
	/** With `{id}` for a parameter. */
	readonly path: string;
	readonly summary: string;
	readonly description?: string;
	readonly tag: string;
	/** Any of several. Absent on routes that need no key. */
	readonly role?: Role | readonly Role[];
	/** False where a method that changes things by its name changes nothing: a question that needs a body. */
	readonly changes?: false;
	readonly query?: z.ZodObject;
	readonly body?: z.ZodType;
	/** Content type by what is sent, where it is not JSON. */
	readonly bodyTypes?: readonly string[];
	/** Status and schema of the answer when all goes well; `null` for one without a body. */
	readonly answers: Readonly<Record<number, z.ZodType | null>>;
	/** Content type of the answer, where it is not JSON; the schema is then that of one part of it. */
	readonly answerType?: string;
}

const errorAnswer = z
	.looseObject({ error: z.string(), code: z.int(), request_id: z.string() })
	.describe(
		"Every error has this shape; 400 adds `details`, 403 `required_role` and `current_permissions`, 429 `limit`, `window` and `retry_after`, 503 `part`.",
	);

type Json = Record<string, unknown>;

function jsonSchema(schema: z.ZodType, io: "input" | "output"): Json {
	const { $schema: _, $defs, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: "any" }) as Json;
	return $defs === undefined ? rest : { ...rest, $defs };
}

/** Schemas that contain themselves stand once, under their names, where the references of the whole document lead. */
function hoisted(document: Json): Json {
	const schemas: Json = {};
	const lift = (value: unknown): unknown => {
		if (Array.isArray(value)) return value.map(lift);
		if (typeof value !== "object" || value === null) return value;
		const { $defs, ...rest } = value as Json;
		for (const [name, schema] of Object.entries(($defs ?? {}) as Json)) schemas[name] ??= lift(schema);
		return Object.fromEntries(
			Object.entries(rest).map(([key, member]) => [
				key,
				key === "$ref" && typeof member === "string"
					? member.replace("#/$defs/", "#/components/schemas/")
					: lift(member),
			]),
		);
	};
	const lifted = lift(document) as Json & { components: { schemas: Json } };
	Object.assign(lifted.components.schemas, schemas);
	return lifted;
}

/** The OpenAPI 3.1 document of these routes; the records that they are made of stand in `x-conventions`. */
export function openApiDocument(
	routes: readonly RouteDoc[],
	{ version, conventions }: { readonly version: string; readonly conventions?: ConventionsAnswer | undefined },
): Json {
	const paths: Record<string, Json> = {};
	for (const route of routes) {
		paths[route.path] ??= {};
		paths[route.path]![route.method] = operation(route);
	}
	return hoisted({
		openapi: "3.1.0",
		info: {
			title: "Tidemark",
			version,
			description:
				"Metrics, events, logs and errors in; answers straight from SQL. Times are RFC 3339 UTC, windows half-open.",
		},
		paths,
		...(conventions === undefined ? {} : { "x-conventions": conventions.families }),
		components: {
			schemas: { Error: jsonSchema(errorAnswer, "output") },
			securitySchemes: {
				bearer: { type: "http", scheme: "bearer" },
				apiKey: { type: "apiKey", in: "header", name: "X-API-Key" },
			},
		},
	});
}

function operation(route: RouteDoc): Json {
	const inPath = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
		name,
		in: "path",
		required: true,
		schema: { type: "string" },
	}));
	return {
		summary: route.summary,
		...(route.description === undefined ? {} : { description: route.description }),
		tags: [route.tag],
		operationId: `${route.method}${route.path.replace(/[^a-zA-Z0-9]+(.)?/g, (_, c: string | undefined) => (c ?? "").toUpperCase())}`,
		...(route.role === undefined
			? {}
			: { security: [{ bearer: [] }, { apiKey: [] }], "x-required-role": roleWords(route.role) }),
		parameters: [...inPath, ...queryParameters(route.query)],
		...(route.body === undefined ? {} : { requestBody: { required: true, content: content(route) } }),
		responses: {
			...Object.fromEntries(
				Object.entries(route.answers).map(([status, schema]) => [
					status,
					schema === null
						? { description: "Done" }
						: {
								description: "Answer",
								content: { [route.answerType ?? "application/json"]: { schema: jsonSchema(schema, "output") } },
							},
				]),
			),
			default: {
				description: "Error",
				content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
			},
		},
	};
}

function content(route: RouteDoc): Json {
	const schema = jsonSchema(route.body!, "input");
	return Object.fromEntries((route.bodyTypes ?? ["application/json"]).map((type) => [type, { schema }]));
}

function queryParameters(query: z.ZodObject | undefined): Json[] {
	if (!query) return [];
	const schema = jsonSchema(query, "input") as { properties?: Record<string, Json>; required?: string[] };
	return Object.entries(schema.properties ?? {}).map(([name, { description, ...rest }]) => ({
		name,
		in: "query",
		required: schema.required?.includes(name) ?? false,
		...(description === undefined ? {} : { description }),
		schema: rest,
	}));
}
