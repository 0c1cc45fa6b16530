import { describe, expect, test } from "vitest";
import { ProcFormatError, parseDefaultRoutes, parseDiskstats, parseNetDev, parseProcess, parseStat } from "./proc.ts";

describe("/proc/stat", () => {
	test("waiting for a disk is idle, stolen time is busy, guests are not counted twice", () => {
		const text = "cpu  100 20 30 800 50 5 6 7 90 10\ncpu0 1 2 3 4 5 6 7 8 9 10\nintr 5\n";
		expect(parseStat(text)).toEqual({ busy: 168, total: 1_018 });
	});

	test.each(["", "intr 1 2 3", "cpu  1 2 3", "cpu  1 2 3 x 5 6 7 8"])("%j is refused", (text) => {
		expect(() => parseStat(text)).toThrow(ProcFormatError);
	});
});

test("/proc/diskstats counts sectors of 512 bytes, in the fields of old and new kernels", () => {
	const text = [
		" 259       0 nvme0n1 135052 28768 11908274 110478 87581 44966 5791256 23600 0 20036 138320 34413 97 420496 3357 16680 883",
		"   8       0 sda 10 0 20 1 5 0 40 1 0 1 2",
	].join("\n");
	expect(parseDiskstats(text)).toEqual([
		{ device: "nvme0n1", read_bytes: 11_908_274 * 512, written_bytes: 5_791_256 * 512 },
		{ device: "sda", read_bytes: 20 * 512, written_bytes: 40 * 512 },
	]);
	expect(() => parseDiskstats("8 0 sda 1 2")).toThrow(ProcFormatError);
});

test("/proc/net/dev is read also where a number touches the name, and where the name has a colon", () => {
	const text = [
		"Inter-|   Receive                                                |  Transmit",
		" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed",
		"  eth0:539836868   14192    0    3    0     0          0         0   920181    8691    0    4    0     0       0          0",
		"eth0:1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16",
	].join("\n");
	expect(parseNetDev(text)).toEqual([
		{ name: "eth0", received_bytes: 539_836_868, received_dropped: 3, sent_bytes: 920_181, sent_dropped: 4 },
		{ name: "eth0:1", received_bytes: 1, received_dropped: 4, sent_bytes: 9, sent_dropped: 12 },
	]);
});

test("a default route is one to everywhere", () => {
	const text = [
		"Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT",
		"eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0",
		"eth1\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0",
	].join("\n");
	expect(parseDefaultRoutes(text)).toEqual(new Set(["eth0"]));
	expect(parseDefaultRoutes("Iface\tDestination\n")).toEqual(new Set());
});

test("a process whose name looks like its fields is read right", () => {
	const stat = "42 (a) S 9 (b) R) S 1 42 42 0 -1 4194304 1 0 0 0 250 50 0 0 20 0 11 0 1 1 1";
	expect(parseProcess(stat, "Name:\tnode\nVmRSS:\t  2048 kB\n")).toEqual({ cpu_s: 3, memory_bytes: 2_097_152 });
	expect(() => parseProcess(stat, "Name:\tzombie\n")).toThrow(ProcFormatError);
});
