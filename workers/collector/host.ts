import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import type { Host } from "./records.ts";

/** This machine: as OpenTelemetry's collectors name it, so that their records and ours are of one host. */
export async function thisHost(): Promise<Host> {
	const name = hostname();
	for (const path of ["/etc/machine-id", "/var/lib/dbus/machine-id"]) {
		const id = (await readFile(path, "utf8").catch(() => "")).trim();
		if (id !== "") return { id, name };
	}
	return { id: name, name };
}
