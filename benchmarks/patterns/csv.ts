/** Rows of a CSV text (RFC 4180): cells may be quoted, quotes in them doubled, and may hold commas and line feeds. */
export function parseCsv(text: string): string[][] {
	const rows: string[][] = [];
	let row: string[] = [];
	// A cell, and what ends it: a comma, a line feed, or nothing at the end of the text.
	const cells = /(?:"((?:[^"]|"")*)"|((?!")[^,\r\n]*))(,|\r?\n|$)/y;
	const body = text.replace(/^\uFEFF/, "");
	while (cells.lastIndex < body.length) {
		const at = cells.lastIndex;
		const match = cells.exec(body);
		if (!match) throw new Error(`no CSV at character ${at + 1}`);
		row.push(match[1]?.replaceAll('""', '"') ?? match[2]!);
		if (match[3] === ",") {
			// The text may end behind a comma: an empty cell.
			if (cells.lastIndex === body.length) row.push("");
			else continue;
		}
		rows.push(row);
		row = [];
	}
	return rows;
}
