/** What holds the system back in its busiest hours. */

export const SEVERITIES = ["low", "medium", "high", "critical"] as const;
export type Severity = (typeof SEVERITIES)[number];

const UTILIZATION = { low: 0.75, medium: 0.85, high: 0.92, critical: 0.97 } as const;
const TIMES = "during peak hours";

/** Share from which on a resource is a bottleneck of a severity, and what to do then. */
export const BOTTLENECK_RULES = {
	/** The peak hours are this share of the hours with requests, those with most. */
	peak_hours_share: 0.25,
	/** Requests of a component in peak hours without which its shares prove nothing. */
	minimum_requests: 20,
	cpu: {
		thresholds: UTILIZATION,
		description: `CPU utilization reaching {value}% ${TIMES}`,
		recommendations: {
			low: "Watch CPU utilization, and plan for more CPU capacity",
			medium: "Consider adding CPU capacity or nodes",
			high: "Add CPU capacity or nodes before the next peak",
			critical: "Add CPU capacity or shed load now: requests are waiting for CPU",
		},
	},
	memory: {
		thresholds: UTILIZATION,
		description: `Memory utilization reaching {value}% ${TIMES}`,
		recommendations: {
			low: "Watch memory utilization, and look for growth without load",
			medium: "Consider adding memory or nodes",
			high: "Add memory or nodes before the next peak",
			critical: "Add memory now: processes are about to be killed or to swap",
		},
	},
	gpu: {
		thresholds: UTILIZATION,
		description: `GPU utilization reaching {value}% ${TIMES}`,
		recommendations: {
			low: "Watch GPU utilization, and plan for more GPU capacity",
			medium: "Consider adding more GPU resources",
			high: "Add GPU resources before the next peak",
			critical: "Add GPU resources or limit concurrency now: requests queue for the GPU",
		},
	},
	storage: {
		thresholds: UTILIZATION,
		description: `Storage utilization reaching {value}% ${TIMES}`,
		recommendations: {
			low: "Watch storage, and check retention of what is kept",
			medium: "Plan for more storage, or remove what is no longer needed",
			high: "Increase storage capacity soon",
			critical: "Increase storage capacity or free space now: writes are about to fail",
		},
	},
	database_pool: {
		thresholds: UTILIZATION,
		description: `Database connection pool reaching {value}% of its size ${TIMES}`,
		recommendations: {
			low: "Watch the connection pool",
			medium: "Consider a larger connection pool, or shorter transactions",
			high: "Enlarge the connection pool, and look for connections that are held too long",
			critical: "Enlarge the connection pool now: requests wait for connections",
		},
	},
	queue: {
		thresholds: { low: 0.25, medium: 0.5, high: 0.75, critical: 0.9 },
		description: `Waiting in queues taking {value}% of response time ${TIMES}`,
		recommendations: {
			low: "Watch queue times",
			medium: "Consider more workers for the queue",
			high: "Add workers for the queue before the next peak",
			critical: "Add workers or shed load now: requests wait longer than they are worked on",
		},
	},
	errors: {
		thresholds: { low: 0.05, medium: 0.1, high: 0.2, critical: 0.5 },
		description: `{value}% of requests failing ${TIMES}`,
		recommendations: {
			low: "Look at the most frequent errors of the component",
			medium: "Look into the errors of the component, and its dependencies",
			high: "Fix or roll back what makes requests fail",
			critical: "Treat as an outage of the component",
		},
	},
} as const;

export type BottleneckResource = Exclude<keyof typeof BOTTLENECK_RULES, "peak_hours_share" | "minimum_requests">;

/** A share of a resource that was measured in peak hours. */
export interface Measured {
	readonly resource: BottleneckResource;
	readonly component: string;
	readonly metric: string;
	/** Ratio. */
	readonly value: number;
	readonly host: string;
	readonly device: string;
}

export interface Bottleneck extends Measured {
	readonly severity: Severity;
	/** That the value breaches. */
	readonly threshold: number;
	readonly description: string;
	readonly recommendation: string;
}

/** The hours with most requests: the top quartile of those that had any, and all that tie with its last. */
export function peakHours(requests: ReadonlyMap<number, number>): number[] {
	const busy = [...requests].filter(([, n]) => n > 0);
	const counts = busy.map(([, n]) => n).sort((a, b) => b - a);
	const bound = counts[Math.ceil(counts.length * BOTTLENECK_RULES.peak_hours_share) - 1] ?? 0;
	return busy.filter(([, n]) => n >= bound).map(([hour]) => hour);
}

/** The highest threshold that a share is at or over. */
export function severityOf(resource: BottleneckResource, value: number): Severity | undefined {
	// Half a unit of the last place that is shown: 0.92 must not be 0.9199…
	const shown = Number(value.toFixed(4));
	return SEVERITIES.findLast((severity) => shown >= BOTTLENECK_RULES[resource].thresholds[severity]);
}

/** The worst of each resource of a component that breaches a threshold, worst first. */
export function bottlenecksOf(all: readonly Measured[]): Bottleneck[] {
	const worst = new Map<string, Measured>();
	for (const measured of all) {
		const key = JSON.stringify([measured.component, measured.resource]);
		if (measured.value > (worst.get(key)?.value ?? Number.NEGATIVE_INFINITY)) worst.set(key, measured);
	}
	const found = [...worst.values()].flatMap((measured): Bottleneck[] => {
		const severity = severityOf(measured.resource, measured.value);
		if (severity === undefined) return [];
		const rule = BOTTLENECK_RULES[measured.resource];
		return [
			{
				...measured,
				severity,
				threshold: rule.thresholds[severity],
				description: rule.description.replace("{value}", String(Number((100 * measured.value).toFixed(1)))),
				recommendation: rule.recommendations[severity],
			},
		];
	});
	const rank = ({ severity }: Bottleneck) => SEVERITIES.indexOf(severity);
	return found.sort(
		(a, b) =>
			rank(b) - rank(a) || b.value - a.value || (a.component < b.component ? -1 : a.component > b.component ? 1 : 0),
	);
}
