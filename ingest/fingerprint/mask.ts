/** Texts with what changes from time to time taken out. */

/** Longer messages are known by their beginning. */
const MESSAGE_CHARACTERS = 2_048;

const MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)";
/**
 * In this order: a URL holds hosts, a host holds numbers. Each is anchored at a boundary and of bounded length, so that none runs
 * over a text again and again.
 */
const MASKS: readonly (readonly [RegExp, string])[] = [
	[/\b[a-z][a-z\d+.-]{1,20}:\/\/[^\s"'<>)\]]{1,2000}/gi, "<url>"],
	[/(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}/g, "<email>"],
	[/\b[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}\b/gi, "<id>"],
	[/\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?: ?(?:Z|UTC|GMT|[+-]\d\d:?\d\d))?)?\b/g, "<time>"],
	[
		new RegExp(
			`\\b(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6},? )?(?:\\d{1,2} ${MONTH}|${MONTH} \\d{1,2}),? \\d{4}\\b`,
			"g",
		),
		"<time>",
	],
	[/\b\d{1,2}:\d\d:\d\d(?:[.,]\d{1,9})?\b/g, "<time>"],
	[/"[^"\n]{0,500}"|(?<!\w)'[^'\n]{0,500}'(?!\w)|`[^`\n]{0,500}`|[“„][^”“\n]{0,500}[”“]|«[^»\n]{0,500}»/g, "<text>"],
	[/(?<![\w:])(?:[\da-f]{0,4}:){2,7}[\da-f]{0,4}(?:%\w{1,20})?(?::\d{1,5})?(?!\w|::)/gi, "<ip>"],
	[/\b\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?\b/g, "<ip>"],
	[/(?<![\w/.])(?:[A-Za-z]:\\|~?\/)[\w.@%+~-]{1,200}(?:[\\/][\w.@%+~-]{1,200}){1,50}[\\/]?/g, "<path>"],
	[/\b0x[\da-f]{1,64}\b/gi, "<hex>"],
	[/\b(?=[a-f]{0,40}\d)[\da-f]{7,128}\b/gi, "<hash>"],
	[/(?<=[\w)>\]]):\d{1,5}\b/g, ":<n>"],
	[/(?<![\w.])[-+]?\d+(?:[.,]\d+)*(?:[eE][+-]?\d+)?/g, "<n>"],
	// What is left of numbers is part of a name: req_123, abc9xyz.
	[/\b(?=[\w-]{0,40}\d)(?=[\w-]{0,40}[a-z])[\w-]{16,128}\b/gi, "<id>"],
	[/\d+/g, "<n>"],
];

/** A message with numbers, ids, addresses, times, paths and quoted texts masked: of its first two lines that are not empty. */
export function maskMessage(message: string): string {
	const start = message.slice(0, 2 * MESSAGE_CHARACTERS);
	const lines = start.split(/\r?\n/).filter((line) => line.trim() !== "");
	const text = lines.slice(0, 2).join(" ").slice(0, MESSAGE_CHARACTERS);
	return MASKS.reduce((masked, [pattern, mask]) => masked.replace(pattern, mask), text)
		.replace(/\s+/g, " ")
		.trim();
}

/** The name of a module, function or type with addresses, hashes and numbers masked. */
export function maskName(name: string): string {
	return name
		.replace(/\b[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}\b/gi, "<id>")
		.replace(/\b0x[\da-f]{1,64}\b/gi, "<n>")
		.replace(/(?<![\da-z])(?=[a-f]{0,40}\d)[\da-f]{7,128}(?![\da-z])/gi, "<n>")
		.replace(/\d+/g, "<n>");
}
