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

/** What a kept tag is folded to where only its presence means something, and its values are many. */
export function keptValue(tag: string, value: string): string {
	return tag === "error.type" && value !== "" ? "other" : value;
}
