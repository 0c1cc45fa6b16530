import { BlockList } from "node:net";
import fc from "fast-check";
import { expect, test } from "vitest";
import { classOf, readAddress } from "./address.ts";

function classed(text: string): string {
	const address = readAddress(text);
	if (!address) throw new TypeError(`${text} is no address`);
	return classOf(address) ?? "public";
}

test.each([
	["loopback", "127.0.0.1 127.255.255.255 ::1 0:0:0:0:0:0:0:1 ::ffff:127.0.0.1 ::ffff:7f00:1 64:ff9b::7f00:1"],
	["private", "10.0.0.0 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 ::ffff:10.1.2.3 64:ff9b::10.0.0.1"],
	["private", "fc00:: fd12:3456:789a::1 fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff fec0::1 feff::1"],
	["metadata", "169.254.169.254 169.254.170.2 169.254.170.23 100.100.100.200 168.63.129.16 192.0.0.192"],
	["metadata", "::ffff:169.254.169.254 ::ffff:a9fe:a9fe 64:ff9b::a9fe:a9fe fd00:ec2::254 fd00:ec2::23 fd20:ce::254"],
	["link-local", "169.254.0.1 169.254.255.255 fe80::1 fe80::1%eth0 febf::1 ::ffff:169.254.1.1"],
	["carrier-grade NAT", "100.64.0.0 100.127.255.255 ::ffff:100.64.0.1 64:ff9b::6440:1"],
	["unspecified", "0.0.0.0 0.1.2.3 0.255.255.255 :: ::ffff:0.0.0.0"],
	["broadcast", "255.255.255.255"],
	["multicast", "224.0.0.1 239.255.255.255 ff02::1 ff0e::1 ffff::"],
	["documentation", "192.0.2.1 198.51.100.1 203.0.113.255 2001:db8::1 3fff::1 3fff:0fff::"],
	["benchmarking", "198.18.0.0 198.19.255.255 2001:2::1"],
	["reserved", "240.0.0.1 255.255.255.254 192.0.0.1 192.88.99.1 192.175.48.1 192.31.196.1 192.52.193.1"],
	["reserved", "100::1 2001:10::1 2001:20::1 2001:1ff::1 2620:4f:8000::1 4000::1 5f00::1 e000::1 1::1 64:ff9b:0:1::1"],
	// Compatible, translated, NAT64 of the own network (/48 to /96), Teredo, 6to4; also when the IPv4 address is public.
	["IPv4 in IPv6", "::7f00:1 ::127.0.0.1 ::10.0.0.1 ::8.8.8.8 ::ffff:0:127.0.0.1 ::ffff:0:8.8.8.8"],
	[
		"IPv4 in IPv6",
		"64:ff9b:1::10.0.0.1 64:ff9b:1:a00:0:100:: 64:ff9b:1:ffff::8.8.8.8 2001::1 2001:0:7f00:1::80ff:fffe",
	],
	["IPv4 in IPv6", "2002:7f00:1::1 2002:a00:1:: 2002:808:808::1 2002:a9fe:a9fe::"],
	["public", "1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0"],
	[
		"public",
		"169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 192.0.1.0 192.167.255.255 192.169.0.0 198.17.255.255",
	],
	[
		"public",
		"198.20.0.0 223.255.255.255 ::ffff:8.8.8.8 64:ff9b::8.8.8.8 2606:4700:4700::1111 2001:4860:4860::8888 2a00::1",
	],
])("%s: %s", (expected, addresses) => {
	for (const address of addresses.split(" ")) expect([address, classed(address)]).toEqual([address, expected]);
});

test.each(["", "localhost", "010.0.0.1", "0x7f.1", "2130706433", "127.1", "1.2.3.4.5", "[::1]", "1.2.3.4 ", "::1::"])(
	"%j is not an address as a resolver writes it",
	(text) => expect(readAddress(text)).toBeUndefined(),
);

// The same registry, read by another program: Node's own block list.
const special = new BlockList();
for (const range of [
	"0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.31.196.0/24",
	"192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24",
	"224.0.0.0/3 168.63.129.16/32",
].flatMap((line) => line.split(" "))) {
	const [net, bits] = range.split("/");
	special.addSubnet(net!, Number(bits), "ipv4");
}

const octets = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255));
/** Half of the addresses are near the edges of ranges. */
const ipv4 = fc.oneof(
	octets,
	fc
		.constantFrom([10], [100, 64], [127], [169, 254], [172, 16], [192, 168], [198, 18], [224], [0])
		.chain((start) => octets.map((random) => [...start, ...random].slice(0, 4))),
);

test("an IPv4 address is public exactly when no special-purpose range holds it, and the same when mapped or behind NAT64", () => {
	fc.assert(
		fc.property(ipv4, (parts) => {
			const text = parts.join(".");
			const found = classed(text);
			expect(found === "public").toBe(!special.check(text, "ipv4"));
			expect(classed(`::ffff:${text}`)).toBe(found);
			expect(classed(`64:ff9b::${text}`)).toBe(found);
		}),
		{ seed: 5, numRuns: 2000 },
	);
});

test("no IPv6 address outside of global unicast is public but NAT64 to a public one", () => {
	fc.assert(
		fc.property(fc.array(fc.nat(0xffff), { minLength: 8, maxLength: 8 }), (words) => {
			const outside = [words[0]! & 0x1fff, ...words.slice(1)].map((word) => word.toString(16)).join(":");
			if (!outside.startsWith("64:ff9b:0:0:0:0:")) expect(classed(outside)).not.toBe("public");
		}),
		{ seed: 6, numRuns: 1000 },
	);
});
