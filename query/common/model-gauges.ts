import { customMetric } from "../measures/custom.ts";
import type { ModelCalls } from "../measures/models.ts";
import { over, type Scope } from "../measures/scope.ts";
import type { Signals } from "../measures/signals.ts";
import { RetentionError } from "../plan/plan.ts";
import type { Asker } from "../run.ts";

/** Bytes of the process that serves a model. */
export const PROCESS_MEMORY = "process.memory.usage";
/** Share of the processors that it uses. */
export const PROCESS_CPU = "process.cpu.utilization";

const BYTES_IN_MB = 1_048_576;

export interface ModelGauges {
	readonly memory_mb?: number;
	readonly cpu_percent?: number;
}

/** Means of the gauges tagged `model`, asked for only where some model's calls do not say what they took. */
export async function modelGauges(
	asker: Asker,
	scope: Scope,
	sent: Signals,
	models: readonly ModelCalls[],
): Promise<Map<string, ModelGauges>> {
	const [memory, cpu] = await Promise.all([
		models.some(({ memory_samples }) => memory_samples === 0) ? byModel(asker, scope, sent, PROCESS_MEMORY) : [],
		models.some(({ cpu_samples }) => cpu_samples === 0) ? byModel(asker, scope, sent, PROCESS_CPU) : [],
	]);
	const found = new Map<string, ModelGauges>();
	for (const [model, bytes] of memory) found.set(model, { memory_mb: bytes / BYTES_IN_MB });
	for (const [model, share] of cpu) found.set(model, { ...found.get(model), cpu_percent: 100 * share });
	return found;
}

/** Mean of all samples over the scope by model. */
async function byModel(asker: Asker, scope: Scope, sent: Signals, metric: string): Promise<[string, number][]> {
	if (!sent.hasMetric(metric)) return [];
	try {
		const means = customMetric(over(scope, scope.start, scope.end), {
			...{ metric, aggregation: "avg", kinds: ["gauge"], groupBy: ["model"], seconds: () => 1 },
		});
		const values = await asker.ask(means);
		return values.flatMap(({ group: [model], value }) => (model && value !== null ? [[model, value]] : []));
	} catch (error) {
		// Events are kept longer than points: what is gone of these must not refuse what is known of those.
		if (error instanceof RetentionError) return [];
		throw error;
	}
}
