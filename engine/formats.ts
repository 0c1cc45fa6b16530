/** The `Content-Type` of every output format, as the engine's own table has it. */
import type { Session } from "chdb";

const FALLBACK = "text/plain; charset=UTF-8";

/** Reads `system.formats`; the returned function answers for a format's name in any case. */
export function readContentTypes(session: Session): (format: string) => string {
	const rows = session.query("SELECT lower(name), content_type FROM system.formats WHERE is_output", "TabSeparated");
	const types = new Map(
		rows
			.trimEnd()
			.split("\n")
			.map((row) => row.split("\t") as [string, string]),
	);
	return (format) => types.get(format.toLowerCase()) || FALLBACK;
}
