import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Masker, tokenHash } from "./mask.ts";

const masker = new Masker();
function read(message: string): string {
	const bytes = Buffer.from(`before ${message} behind`);
	masker.read(bytes, 7, bytes.length - 7);
	return masker.tokens().join(" ");
}
const hashOf = (message: string) => {
	read(message);
	return `${masker.hashHigh} ${masker.hashLow}`;
};

test.each([
	// Numbers, with signs, units and what encloses them.
	["took 5 ms", "took <#>"],
	["took 1.5s, retry in 2 seconds", "took <#>, retry in <#>"],
	["used 5.2 KB of 1 MB)", "used <#> of <#>)"],
	["id 3, KB", "id <#>, KB"],
	["found 3 bytes", "found <#>"],
	["lifetime <1 sec", "lifetime <#>"],
	["node <1> is up", "node <<#>> is up"],
	["at -17 and +3e-7 and 45%.", "at <#> and <#> and <#>."],
	["<memory:10240, cores:-17>", "<memory:<#>, cores:<#>>"],
	["x......0 y", "x......<#> y"],
	// Ids.
	["blk_-1608999687919862906 done", "<#> done"],
	["req 70293f72-844a-4b39-9ad6-fb0ad7e364e4 ended", "req <#> ended"],
	["mask=ffffffff flags=0x1F", "mask=<#> flags=<#>"],
	["facade of deadbeef", "facade of <#>"],
	["attempt_14_m_2: started", "<#>: started"],
	// Addresses.
	["from /10.251.42.84:50010 to 10.0.0.1", "from <#> to <#>"],
	["proxy.example.org:80 open", "<#> open"],
	["mac 00:1a:be:ef:ad:ff up", "mac <#> up"],
	["v6 fe80::be:ef:ad, add:bad is no address", "<#>, add:bad is no address"],
	["mail to Bob.B@example.org now", "mail to <#> now"],
	["get https://a.example/x?y=z&w=(1) now", "get <#>(<#>) now"],
	// Paths.
	["open /var/www/html/ ok", "open <#> ok"],
	['"GET /a/b?c=d&e=f HTTP/1.1" 200', '"GET <#>" <#>'],
	["load C:\\Windows\\system32\\x.dll", "load C:<#>"],
	["and/or TCP/IP ~/x ./y", "and/or TCP/IP <#>"],
	// Times.
	["at Mon Jul 25 06:39:18 2005 UTC", "at <#> UTC"],
	["on 2026-01-31T12:00:00.123Z!", "on <#>!"],
	["3 May, Monday 5", "<#>"],
	["may be on Monday", "may be on Monday"],
	// Literals, and words that are none.
	["ok=true was null", "ok=<#> was <#>"],
	["nothing is trueish", "nothing is trueish"],
	["user=alice logged in", "user=alice logged in"],
	// Lists of any length.
	["delete blk_1 blk_2 blk_3", "delete <#>"],
	["sizes (1, 2, 3) of [4] [5 6]", "sizes (<#>) of [<#>]"],
	["5 (10%) done", "<#> (<#>) done"],
	["node-[1-3 7-9] down", "node-[<#>] down"],
	["a=1,b=2 3 c", "a=<#>,b=<#> c"],
	['"1" "2"', '"<#>" "<#>"'],
	// Text as it comes.
	["größe 😀 naïve", "größe 😀 naïve"],
	["  two\tspaces  ", "two spaces"],
	["", ""],
	["failed:\n  at x.y:1\n", "failed: <#>"],
	["one line\n", "one line"],
	["literal <*> and <…> and <#>", "literal <#> and <#> and <#>"],
])("%j is %j", (message, shape) => {
	expect(read(message)).toBe(shape);
});

test("a word alone is a value when it is a literal, or 8 hexadecimal digits and more, and only then", () => {
	const letters = fc.string({ unit: fc.constantFrom(..."abcdefABCDEFtrulsgM"), minLength: 1, maxLength: 12 });
	const words = fc.constantFrom(
		..."true false null True False TRUE days KB Mon May Tuesday deadbeef facade".split(" "),
	);
	fc.assert(
		fc.property(fc.oneof(letters, words), (word) => {
			const isValue = /^(true|false|null|True|False)$/.test(word) || /^[a-fA-F]{8,}$/.test(word);
			for (const [before, behind] of [" ", "=,", "()"].map((around) => around.split(""))) {
				const message = `x${before}${word}${behind ?? before}y`;
				expect(read(message)).toBe(isValue ? message.replace(word, "<#>") : message);
			}
		}),
		{ seed: 1, numRuns: 2_000 },
	);
});

describe("the hash", () => {
	test("of each token is that of its text", () => {
		const piece = fc.constantFrom(
			..."ms KB Mon true deadbeef user é 日本 . .. ... , : = / ( ) [ ] < > ' 7 4.2 10.0.0.1 a/b /a/b a@b.c <#>".split(
				" ",
			),
		);
		const message = fc
			.array(fc.oneof(piece, fc.string({ maxLength: 4 }), fc.constantFrom(" ", "  ")), { maxLength: 30 })
			.map((parts) => parts.join(""));
		fc.assert(
			fc.property(message, (text) => {
				read(text);
				const texts = masker.tokens();
				const hashes = texts.map((_, i) => ({ high: masker.tokenHigh[i], low: masker.tokenLow[i] }));
				expect(hashes).toEqual(texts.map(tokenHash));
			}),
			{ seed: 1, numRuns: 2_000 },
		);
	});

	test("is the same for messages of one shape, and only for them", () => {
		const one = ["took 5 ms on web", "took 17 s on web", "took  0x1F  on web"];
		expect(new Set(one.map(hashOf)).size).toBe(1);
		const others = ["took 5 ms on db", "took five on web", "took on web", "tookon <1> web", "", "took 5 ms  onweb"];
		expect(new Set([...one, ...others].map(hashOf)).size).toBe(1 + others.length);
	});

	test("tells 100,000 shapes apart", () => {
		const hashes = new Set<string>();
		for (let i = 0; i < 100_000; i++) {
			const word = i.toString(36).replace(/\d/g, (digit) => String.fromCharCode(0x41 + Number(digit)));
			hashes.add(hashOf(`user ${word} logged in`));
		}
		expect(hashes.size).toBe(100_000);
	});
});

test("a message of any length costs no more than its beginning", () => {
	const long = `start ${"word ".repeat(100_000)}`;
	expect(read(long).split(" ")).toEqual(["start", ...Array(63).fill("word"), "<#>"]);
	expect(read("x".repeat(100_000)).length).toBeLessThan(1_100);
	expect(hashOf(`${"a ".repeat(500)}tail one`)).toBe(hashOf(`${"a ".repeat(500)}tail two`));
});
