/** What every reading route does around its question: parameters in, errors and the explanation out. */
import { setMaxListeners } from "node:events";
import type { Context } from "hono";
import type { z } from "zod";
import type { AppEnv } from "../http/env.ts";
import { badParameter, forbidden } from "../http/errors.ts";
import { allows } from "../http/roles.ts";
import { parseQuery } from "../http/validate.ts";
import type { ControlAttestations } from "./compliance/attestations.ts";
import type { Instance } from "./compliance/finding.ts";
import { type ComponentRules, DEFAULT_RULES } from "./measures/components.ts";
import { isOfEvents, type Needs } from "./meta.ts";
import type { Reach } from "./plan/plan.ts";
import { assertEventsKept, RetentionError } from "./plan/plan.ts";
import type { Asker, Queries, Run } from "./run.ts";

/** More listeners of one request would be a leak worth a warning: an answer asks some ten questions, one a custom metric. */
const MAX_QUERIES = 500;
const DAY_MS = 86_400_000;

export interface QueryDeps {
	readonly queries: Queries;
	readonly reach: Reach;
	/** Of a project that keeps less. */
	readonly reachOf?: ((project: string) => Reach | undefined) | undefined;
	/** Parts that make the whole unhealthy when they are down; none means all that have checks. */
	readonly criticalComponents?: readonly string[];
	readonly rules?: ComponentRules;
	/** Milliseconds since the epoch. */
	readonly now?: () => number;
	/** Evidence for the controls of compliance that no record of a project has. Without it they are not tested. */
	readonly compliance?: {
		readonly instance: Instance;
		readonly attestations: (project: string) => Promise<ControlAttestations>;
	};
}

/** What a question is asked with: the project's asker, the settings, and the real clock. */
export interface Asking {
	readonly asker: Asker;
	readonly reach: Reach;
	readonly criticalComponents: readonly string[];
	readonly rules: ComponentRules;
	readonly now: number;
	readonly compliance?: {
		readonly instance: Instance;
		readonly attestations: () => Promise<ControlAttestations>;
	};
}

/** A route that reads: its contract, the records that fill its null fields, and what answers it. */
export interface Read {
	readonly path: string;
	readonly summary: string;
	readonly description?: string;
	readonly query: z.ZodObject;
	readonly answer: z.ZodType;
	readonly needs?: Needs;
	readonly handler: (deps: QueryDeps) => (c: Context<AppEnv>) => Promise<Response>;
}

export interface ReadOptions<S extends z.ZodObject, A extends object> extends Omit<Read, "handler" | "query"> {
	readonly query: S;
	readonly ask: (asking: Asking, query: z.infer<S>) => Promise<A>;
}

/** A route whose answer the program can also have for itself, as reports do: the same numbers by the same way. */
export interface AskableRead<S extends z.ZodObject, A extends object> extends Read {
	readonly answerTo: (asking: Asking, query: z.input<S>) => Promise<A>;
}

/** Ties the type of `ask`'s query to the schema that parses it. */
export function read<S extends z.ZodObject, A extends object>({ ask, ...route }: ReadOptions<S, A>): AskableRead<S, A> {
	const needsEvents = Object.values(route.needs ?? {}).some(isOfEvents);
	const kept = async (asking: Asking, query: z.infer<S>): Promise<A> => {
		const body = await ask(asking, query);
		const { meta } = body as { meta?: { window?: { start: string } } };
		if (needsEvents && meta?.window) assertEventsKept(Date.parse(meta.window.start), asking);
		return body;
	};
	return {
		...route,
		handler: (deps) => reading(deps, route.query, kept),
		answerTo: (asking, query) => kept(asking, route.query.parse(query)),
	};
}

/** Who asks about a project, and how far back it may. @param through what each question goes through on its way to the database */
export function askerOf(
	deps: Pick<QueryDeps, "reach" | "reachOf" | "now"> & { readonly queries: Pick<Queries, "of"> },
	project: string,
	signal?: AbortSignal,
	through?: (run: Run) => Run,
): Pick<Asking, "asker" | "reach" | "now"> {
	const asker = deps.queries.of(project, signal, through);
	const now = (deps.now ?? Date.now)();
	const reach = deps.reachOf?.(project) ?? deps.reach;
	if (reach.whole_days !== undefined) asker.keptFrom = now - reach.whole_days * DAY_MS;
	return { asker, reach, now };
}

/** What questions about a project are asked with, by routes and by what asks the same without one. */
export function askingOf(deps: QueryDeps, project: string, signal: AbortSignal): Asking {
	const { asker, reach, now } = askerOf(deps, project, signal);
	// Parts of an answer rest on the same numbers.
	asker.remembers = true;
	const { criticalComponents = [], rules = DEFAULT_RULES, compliance } = deps;
	const controls = compliance && {
		instance: compliance.instance,
		attestations: () => compliance.attestations(project),
	};
	return { asker, reach, criticalComponents, rules, now, ...(controls ? { compliance: controls } : {}) };
}

/** A handler that parses the query by `schema`, asks about the key's project and answers what `answer` makes of it. */
export function reading<S extends z.ZodObject>(
	deps: QueryDeps,
	schema: S,
	answer: (asking: Asking, query: z.infer<S>) => Promise<object>,
) {
	return async (c: Context<AppEnv>): Promise<Response> => {
		const query = parseQuery(c, schema);
		const key = c.get("key");
		const explain = (query as { explain?: string }).explain === "true";
		if (explain && !allows(key.roles, "analytics_editor")) throw forbidden("analytics_editor", key.roles);
		// A client that goes away takes its queries with it; each of them listens.
		const { signal } = c.req.raw;
		setMaxListeners(MAX_QUERIES, signal);
		const asking = askingOf(deps, key.project, signal);
		const body = await answer(asking, query).catch((error: unknown) => {
			throw error instanceof RetentionError ? notKept(error, query) : error;
		});
		return c.json(explain ? { ...body, explain: { queries: asking.asker.explained } } : body);
	};
}

function notKept(error: RetentionError, query: Record<string, unknown>) {
	const parameter = ["start", "start_time", "as_of", "timeframe"].find((name) => query[name] !== undefined) ?? "start";
	return badParameter({
		parameter,
		provided: query[parameter] ?? null,
		valid_options: [`a window from ${new Date(error.oldest).toISOString()} on`],
		reason: error.message,
		message: "The window reaches further back than the data that could answer it is kept",
	});
}

/** The items of a list parameter. */
export function listOf(text: string | undefined): string[] {
	return (text ?? "")
		.split(",")
		.map((item) => item.trim())
		.filter((item) => item !== "");
}
