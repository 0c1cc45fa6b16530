/**
 * Tags that a folded part keeps, by name of the record: those without which its number would mean nothing, since processors are
 * told by mode and requests by how they ended. Everything else is folded over all its tags.
 */
export const KEPT_TAGS: Readonly<Record<string, readonly string[]>> = {
	"http.server.request.duration": ["http.response.status_code", "error.type"],
	response_time: ["http.response.status_code", "error.type", "status"],
	"system.cpu.utilization": ["host.id", "host.name", "cpu.mode", "state"],
	"system.memory.utilization": ["host.id", "host.name", "system.memory.state", "state"],
};

/**
 * Attributes of a watched event that its part keeps, by name of the event, and the number that it sums up; all other events are
 * only counted. A call of a model that says how long it took is told by `latency_ms: known`.
 */
export const KEPT_ATTRIBUTES: Readonly<Record<string, (attributes: EventAttributes) => KeptEvent>> = {
	model_inference_completed({ strings, numbers }) {
		const error_type = strings.get("error_type") ?? "";
		const unsuccessful = strings.get("success")?.toLowerCase() === "false" || numbers.get("success") === 0;
		const latency_ms = numbers.get("latency_ms");
		const isKnown = latency_ms !== undefined && latency_ms >= 0;
		return {
			tags: {
				...(error_type === "" ? {} : { error_type: MODEL_ENDS.has(error_type) ? error_type : "other" }),
				...(unsuccessful ? { success: "false" } : {}),
				...(isKnown ? { latency_ms: "known" } : {}),
			},
			value: isKnown ? latency_ms : 0,
		};
	},
};
/** Ways in which a call ends that mean something of their own. */
const MODEL_ENDS = new Set(["timeout", "cancelled"]);

export interface EventAttributes {
	readonly strings: ReadonlyMap<string, string>;
	readonly numbers: ReadonlyMap<string, number>;
}

export interface KeptEvent {
	readonly tags: Readonly<Record<string, string>>;
	readonly value: number;
}

/** What a kept tag is folded to where only its presence means something, and its values are many. */
export function keptValue(tag: string, value: string): string {
	return tag === "error.type" && value !== "" ? "other" : value;
}
