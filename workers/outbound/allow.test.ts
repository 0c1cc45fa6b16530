import { expect, test } from "vitest";
import { readAddress } from "./address.ts";
import { createGuard, isAllowEntry } from "./allow.ts";
import { readHost } from "./host.ts";

function refusal(allow: string[], host: string, address = host) {
	return createGuard(allow).refusal(readHost(host)!, readAddress(address)!);
}

test.each([
	[["10.0.0.0/8"], "10.1.2.3", undefined],
	[["10.0.0.0/8"], "11.1.2.3", undefined],
	[["10.0.0.0/8"], "192.168.0.1", "private"],
	[["10.0.0.0/8"], "::ffff:10.1.2.3", undefined],
	[["10.1.2.3"], "10.1.2.3", undefined],
	[["10.1.2.3"], "10.1.2.4", "private"],
	[["fd00::/8"], "fd12::1", undefined],
	[["::1"], "::1", undefined],
	[["::1"], "127.0.0.1", "loopback"],
	[["127.0.0.0/8"], "::1", "loopback"],
	[["private"], "127.0.0.1", undefined],
	[["private"], "192.168.1.1", undefined],
	[["private"], "fd12::1", undefined],
	[["private"], "100.64.0.1", undefined],
	[["private"], "169.254.1.1", "link-local"],
	[["private"], "224.0.0.1", "multicast"],
	[["private"], "0.0.0.0", "unspecified"],
	[["0.0.0.0/0"], "224.0.0.1", undefined],
	[["0.0.0.0/0"], "::1", "loopback"],
])("%j opens for %s: %s", (allow, address, expected) => expect(refusal(allow, address)).toBe(expected));

test.each(["private", "169.254.0.0/16", "0.0.0.0/0", "metadata.example", "169.254.169.252/30"])(
	"%s does not open a metadata service, its own address does",
	(entry) => {
		expect(refusal([entry], "metadata.example", "169.254.169.254")).toBe("metadata");
		expect(refusal([entry, "169.254.169.254"], "metadata.example", "169.254.169.254")).toBeUndefined();
		expect(refusal(["fd00::/8"], "fd00:ec2::254")).toBe("metadata");
		expect(refusal(["169.254.169.254/32"], "169.254.169.254")).toBeUndefined();
	},
);

test.each([
	[["minio.internal"], "minio.internal", undefined],
	[["minio.internal"], "MINIO.internal.", undefined],
	[["Minio.Internal."], "minio.internal", undefined],
	[["minio.internal"], "x.minio.internal", "private"],
	[["minio.internal"], "minio.internal.evil.example", "private"],
	[["*.internal"], "minio.internal", undefined],
	[["*.internal"], "a.b.internal", undefined],
	[["*.internal"], "internal", "private"],
	[["*.internal"], "notinternal", "private"],
])("%j opens %s at a private address: %s", (allow, host, expected) => {
	expect(refusal(allow, host, "10.0.0.9")).toBe(expected);
	expect(createGuard(allow).named(readHost(host)!)).toBe(expected === undefined);
});

test("an address is opened as an address, not as a name", () => {
	expect(createGuard(["10.0.0.1"]).named(readHost("10.0.0.1")!)).toBe(false);
});

test.each([
	"*",
	"*.",
	"a.*",
	"*.10.0.0.1",
	"10.0.0.0/33",
	"::/129",
	"10/8",
	"10.0.0/24",
	"0x7f.0.0.1",
	"http://a",
	"a:80",
])("%j is no entry", (entry) => {
	expect(isAllowEntry(entry)).toBe(false);
	expect(() => createGuard([entry])).toThrow(TypeError);
});

test.each(["", "/", "a/b", "a/8", "010.0.0.0/8", "127.1", "::ffff:10.0.0.0/104", "1.2.3.4/", "1.2.3.4/-1", "a b"])(
	"%j is no entry either",
	(entry) => expect(isAllowEntry(entry)).toBe(false),
);
