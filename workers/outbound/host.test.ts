import fc from "fast-check";
import { expect, test } from "vitest";
import { createGuard } from "./allow.ts";
import { OutboundRefused } from "./errors.ts";
import { hostOf, readHost, readUrl } from "./host.ts";

const guard = createGuard([]);

test.each([
	["2130706433", "127.0.0.1"],
	["0x7f000001", "127.0.0.1"],
	["017700000001", "127.0.0.1"],
	["0177.0.0.1", "127.0.0.1"],
	["0x7f.0.0.1", "127.0.0.1"],
	["0X7F.1", "127.0.0.1"],
	["127.1", "127.0.0.1"],
	["127.0.1", "127.0.0.1"],
	["127.0.0.1.", "127.0.0.1"],
	["00000000177.0.0.1", "127.0.0.1"],
	["①②⑦.⓪.⓪.①", "127.0.0.1"],
	["127。0。0。1", "127.0.0.1"],
	["127．0．0．1", "127.0.0.1"],
	["0", "0.0.0.0"],
	["0xa9fea9fe", "169.254.169.254"],
	["2852039166", "169.254.169.254"],
	["0251.0376.0251.0376", "169.254.169.254"],
	["169.254.43518", "169.254.169.254"],
	["169.0xfea9fe", "169.254.169.254"],
	["[::ffff:127.0.0.1]", "127.0.0.1"],
	["::ffff:7f00:1", "127.0.0.1"],
	["[::1]", "::1"],
	["0:0:0:0:0:0:0:1", "::1"],
	["[0000::0001]", "::1"],
	["[::127.0.0.1]", "::7f00:1"],
	["[64:ff9b::127.0.0.1]", "64:ff9b::7f00:1"],
	["[2002:7f00:1::]", "2002:7f00:1::"],
])("the host %s is the address %s, and refused", (text, address) => {
	const host = readHost(text);
	expect(host?.address?.toString()).toBe(address);
	expect(guard.refusal(host!, host!.address!)).toBeDefined();
});

test.each([
	["LOCALHOST", "localhost"],
	["localhost.", "localhost"],
	["ｌｏｃａｌｈｏｓｔ", "localhost"],
	["ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", "localhost"],
	["loc\u00adalhost", "localhost"],
	["Bücher.example", "xn--bcher-kva.example"],
	["a_b.example", "a_b.example"],
])("the host %s is the name %s", (text, name) => expect(readHost(text)).toEqual({ name, address: undefined }));

test.each([
	"",
	" ",
	"[",
	"[]",
	"::1]",
	"a b",
	"a\tb",
	"a/b",
	"a?b",
	"a#b",
	"a\\b",
	"user@127.0.0.1",
	"127.0.0.1:80",
	"127.0.0.1%00.example",
	"127%2e0.0.1",
	"fe80::1%eth0",
	"[fe80::1%25eth0]",
	"1.2.3.4.5",
	"256.256.256.256",
	"0x100000000",
	"a.0x",
	"127.0.0.1\n",
])("%j is no host", (text) => expect(readHost(text)).toBeUndefined());

test.each([
	["http://public.example@127.0.0.1/", "127.0.0.1"],
	["http://public.example:80@127.0.0.1/", "127.0.0.1"],
	["http://public.example#@127.0.0.1/", "public.example"],
	["http://127.0.0.1\\@public.example/", "127.0.0.1"],
	["http:\\\\127.0.0.1\\", "127.0.0.1"],
	["http:/127.0.0.1/", "127.0.0.1"],
	["HTTP:127.0.0.1", "127.0.0.1"],
	["http://127.0.0\t.1/", "127.0.0.1"],
	["\u0000 http://127.0.0.1/", "127.0.0.1"],
	["http://%31%32%37.0.0.1/", "127.0.0.1"],
	["http://127.0.0.1?@public.example/", "127.0.0.1"],
])("%j goes to %s", (url, name) => expect(hostOf(readUrl(url)).name).toBe(name));

test.each([
	[
		"url",
		["", "example.com", "//example.com", "http://", "http://a b/", "http://[fe80::1%25eth0]/", "http://a:99999/"],
	],
	[
		"scheme",
		["ftp://a/", "file:///etc/passwd", "gopher://a/", "data:,x", "javascript:1", "ws://a/", "unix:/run/a.sock"],
	],
] as const)("refused for its %s: %j", (reason, urls) => {
	for (const url of urls) {
		expect(() => readUrl(url)).toThrow(expect.objectContaining({ name: OutboundRefused.name, reason }));
	}
});

/** One number as people and inet_aton write it. */
const written = (value: number) =>
	fc.constantFrom(
		String(value),
		`0x${value.toString(16)}`,
		`0X${value.toString(16).toUpperCase()}`,
		`0${value.toString(8)}`,
		`000${value.toString(8)}`,
		`0x000${value.toString(16)}`,
	);

/** A way to write one digit or dot. */
const glyphs: Record<string, string> = { "1": "①１%31", "2": "②２%32", "7": "⑦７%37", ".": "。．｡", "0": "⓪０%30" };

function disguised(text: string) {
	const forms = [...text].map((char) => [char, ...(glyphs[char]?.match(/%..|./gu) ?? [])]);
	return fc.tuple(...forms.map((list) => fc.constantFrom(...list))).map((chars) => chars.join(""));
}

/** Any of the textual forms of an address: 1 to 4 parts, each in its own base, Unicode and escapes, with a dot at the end. */
function textOf([a, b, c, d]: number[]) {
	const parts = fc.constantFrom(
		[a!, b!, c!, d!],
		[a!, b!, c! * 256 + d!],
		[a!, (b! * 256 + c!) * 256 + d!],
		[((a! * 256 + b!) * 256 + c!) * 256 + d!],
	);
	return fc
		.tuple(
			parts.chain((list) => fc.tuple(...list.map(written))),
			fc.constantFrom("", "."),
		)
		.chain(([list, end]) => disguised(list.join(".") + end));
}

const privateAddress = fc
	.constantFrom([10], [127], [172, 16], [192, 168], [169, 254], [100, 64], [0], [224], [169, 254, 169, 254])
	.chain((start) =>
		fc.array(fc.nat(255), { minLength: 4, maxLength: 4 }).map((rest) => [...start, ...rest].slice(0, 4)),
	);

test("every textual form of a private IPv4 address is read as that address by the URL parser and by us, and refused", () => {
	fc.assert(
		fc.property(
			privateAddress.chain((octets) => fc.tuple(fc.constant(octets.join(".")), textOf(octets))),
			([address, text]) => {
				const inUrl = hostOf(readUrl(`http://user:pass@${text}:8080/path`));
				expect(inUrl.name).toBe(address);
				expect(guard.refusal(inUrl, inUrl.address!)).toBeDefined();
				// Escapes are of URLs only.
				expect(readHost(text)).toEqual(text.includes("%") ? undefined : inUrl);
			},
		),
		{ seed: 7, numRuns: 2000 },
	);
});

test("a host is read outside of a URL as the URL parser reads it inside, or not at all", () => {
	fc.assert(
		fc.property(
			fc.oneof(fc.domain(), fc.ipV4Extended(), fc.ipV6(), fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 })),
			(text) => {
				const host = readHost(text);
				if (!host) return;
				const inUrl = text.includes(":") ? `[${text.replace(/^\[|\]$/g, "")}]` : text;
				expect(hostOf(new URL(`http://${inUrl}/`))).toEqual(host);
			},
		),
		{ seed: 8, numRuns: 2000 },
	);
});
