/**
 * Texts of Linux's /proc, read directly. `systeminformation` spawns a shell with blocking calls for the same numbers (up to
 * 500 ms of a stopped event loop were seen), leaves iowait out of the CPU's total, so that a machine that waits for its disk
 * looks busy, and answers 0 for a counter that it could not read.
 */
import type { CpuTime, DiskCounters, InterfaceCounters } from "./readings.ts";

/** A text that is not as the kernel writes it: nothing is taken from it. */
export class ProcFormatError extends Error {
	override readonly name = "ProcFormatError";
}

/** Bytes of a sector in /proc/diskstats, whatever the disk's own sectors are. */
const SECTOR_BYTES = 512;

/** First line of /proc/stat: the sum over all CPUs. Waiting for a disk is idle; time stolen by a hypervisor is not. */
export function parseStat(text: string): CpuTime {
	const line = /^cpu +(.+)$/m.exec(text)?.[1];
	// guest and guest_nice, the last two, are in user and nice already.
	const [user, nice, system, idle, iowait, irq, softirq, steal] = numbers(
		line?.split(" ").slice(0, 8),
		"/proc/stat",
		8,
	);
	const busy = user! + nice! + system! + irq! + softirq! + steal!;
	return { busy, total: busy + idle! + iowait! };
}

/** /proc/diskstats, of all block devices. */
export function parseDiskstats(text: string): Required<DiskCounters>[] {
	return rows(text).map((row) => {
		const [, , device, ...counts] = row.split(/ +/);
		const [, , read, , , , written] = numbers(counts.slice(0, 7), "/proc/diskstats", 7);
		return { device: device!, read_bytes: read! * SECTOR_BYTES, written_bytes: written! * SECTOR_BYTES };
	});
}

/** /proc/net/dev, of all interfaces of this network namespace. */
export function parseNetDev(text: string): InterfaceCounters[] {
	return rows(text)
		.filter((row) => row.includes(":"))
		.map((row) => {
			const colon = row.lastIndexOf(":");
			const counts = numbers(
				row
					.slice(colon + 1)
					.trim()
					.split(/ +/)
					.slice(0, 12),
				"/proc/net/dev",
				12,
			);
			const [received_bytes, , , received_dropped, , , , , sent_bytes, , , sent_dropped] = counts;
			return {
				name: row.slice(0, colon),
				...{ received_bytes: received_bytes!, sent_bytes: sent_bytes! },
				...{ received_dropped: received_dropped!, sent_dropped: sent_dropped! },
			};
		});
}

/** /proc/net/route: the interfaces by which a default route leaves. */
export function parseDefaultRoutes(text: string): Set<string> {
	const fields = rows(text).map((row) => row.split(/\s+/));
	return new Set(
		fields
			.filter(([, destination, , , , , , mask]) => Number(`0x${destination}`) === 0 && mask === "00000000")
			.map(([name]) => name!),
	);
}

/** /proc/<pid>/stat and /proc/<pid>/status of a process of ours. */
export function parseProcess(stat: string, status: string): { cpu_s: number; memory_bytes: number } {
	// The name of the program stands in parentheses and may hold any character.
	const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
	const [user, system] = numbers(fields.slice(11, 13), "/proc/pid/stat", 2);
	const [kilobytes] = numbers([/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? ""], "/proc/pid/status", 1);
	return { cpu_s: (user! + system!) / USER_HZ, memory_bytes: kilobytes! * 1_024 };
}

/** Ticks a second of /proc/<pid>/stat: part of the kernel's interface to programs, whatever its own clock. */
const USER_HZ = 100;

function rows(text: string): string[] {
	return text
		.split("\n")
		.map((row) => row.trim())
		.filter((row) => row !== "");
}

function numbers(texts: readonly string[] | undefined, file: string, count: number): number[] {
	const values = (texts ?? []).map((text) => (/^\d+$/.test(text) ? Number(text) : Number.NaN));
	if (values.length < count || values.some(Number.isNaN)) throw new ProcFormatError(`${file} is not as expected`);
	return values;
}
