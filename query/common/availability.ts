import { ApiError } from "../../http/errors.ts";
import { availabilityByChecks, availabilityByHeartbeats, CHECK } from "../measures/availability.ts";
import { HEARTBEAT } from "../measures/nodes.ts";
import { over, type Scope } from "../measures/scope.ts";
import type { Signals } from "../measures/signals.ts";
import type { NeededRecords } from "../meta.ts";
import type { Asking } from "../route.ts";

/** What availability is made of. */
export const AVAILABILITY_RECORDS: NeededRecords = [`event ${CHECK}`, `event ${HEARTBEAT}`];

export interface AvailabilityPart {
	/** Null when no probe was observed. */
	readonly ratio: number | null;
	readonly observed_fraction: number;
	readonly methods: Readonly<Record<string, string>>;
}

/** Availability over the scope's window: by checks where the project sends any, else by heartbeats. */
export async function availabilityOf(
	{ asker, criticalComponents }: Asking,
	scope: Scope,
	sent: Signals,
	field = "summary.availability",
): Promise<AvailabilityPart> {
	const components = scope.component === undefined ? criticalComponents : [scope.component];
	const window = over(scope, scope.start, scope.end);
	const checks = sent.hasEvent(CHECK);
	if (!checks && !sent.hasEvent(HEARTBEAT)) return { ratio: null, observed_fraction: 0, methods: {} };
	const question = checks ? availabilityByChecks(window, components) : availabilityByHeartbeats(window, components);
	const found = await asker.ask(question).catch((error: unknown) => {
		// Weeks of heartbeats of thousands of nodes: one number less, not no answer at all.
		if (error instanceof ApiError && error.status === 422) return undefined;
		throw error;
	});
	if (found === undefined) {
		return {
			ratio: null,
			observed_fraction: 0,
			methods: { [field]: "too many records in the window to be computed" },
		};
	}
	return {
		ratio: found.percentage === null ? null : found.percentage / 100,
		observed_fraction: found.observed_fraction,
		methods: { [field]: checks ? "time with good checks / observed time" : "time with heartbeats / observed time" },
	};
}
