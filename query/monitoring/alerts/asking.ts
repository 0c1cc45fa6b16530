import type { Definitions } from "../../../schema/definitions.ts";
import type { Kpi } from "../../../schema/wire/index.ts";
import { systemState } from "../../common/components.ts";
import type { AlertAsking } from "../../measures/alerting/asking.ts";
import { DEFAULT_RULES } from "../../measures/components.ts";
import { askerOf, type QueryDeps } from "../../route.ts";
import type { Queries } from "../../run.ts";

const DAY_MS = 86_400_000;

/** What conditions of a project are asked with, by routes and by the evaluation alike. */
export function alertAsking(
	deps: Omit<QueryDeps, "queries"> & { readonly queries: Pick<Queries, "of">; readonly kpis: Definitions<Kpi> },
	project: string,
	signal?: AbortSignal,
): AlertAsking {
	const { asker, reach, now } = askerOf(deps, project, signal);
	const { criticalComponents = [], rules = DEFAULT_RULES } = deps;
	return {
		ask: (question) => asker.ask(question),
		...{ now, reach },
		kpi: async (id) => (await deps.kpis.get(project, id))?.body,
		async healthScore(at) {
			const scope = { start: at - DAY_MS, end: at, now, reach };
			return (await systemState({ asker, now, reach, criticalComponents, rules }, scope)).health_score;
		},
	};
}
