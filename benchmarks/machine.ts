/** What a reader must know of the machine; nothing that tells which one it is. */
import { cpus, release, type as systemType, totalmem } from "node:os";

export interface Machine {
	readonly cpu: string;
	readonly cores: number;
	readonly memory_gb: number;
	readonly system: string;
	readonly node: string;
	readonly clickhouse: string;
}

export function machine(clickhouse: string): Machine {
	const all = cpus();
	return {
		cpu: all[0]?.model ?? "unknown",
		cores: all.length,
		memory_gb: Math.round(totalmem() / 2 ** 30),
		system: `${systemType()} ${release()}`,
		node: process.versions.node,
		clickhouse,
	};
}
