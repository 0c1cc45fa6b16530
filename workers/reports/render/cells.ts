/** A table as texts: the same in HTML and PDF. */
import type { BlockOf, Cell } from "../../../schema/report-document.ts";
import { columnDigits, lineText, pageText, valueText } from "./format.ts";

type Table = BlockOf<"table">;
type Row = Table["rows"][number];

export interface Column {
	readonly header: string;
	readonly align: "left" | "right";
	cell(row: Row): string;
}

export function columnsOf({ columns, rows }: Table, timezone: string): Column[] {
	return columns.map(({ key, label, unit, align }) => {
		// `rows` come from elsewhere: a column may be called `constructor`.
		const value = (row: Row): Cell | undefined => (Object.hasOwn(row, key) ? row[key] : undefined);
		const numbers = numbersOf(rows, value);
		const options = { timezone, digits: numbers && columnDigits(numbers) };
		return {
			header: lineText(unit === undefined || unit === "" ? label : `${label} (${unit})`),
			align: align ?? (numbers === undefined ? "left" : "right"),
			cell: (row) => pageText(valueText(value(row), options)),
		};
	});
}

/** The numbers of a column that holds nothing else. */
function numbersOf(rows: readonly Row[], value: (row: Row) => Cell | undefined): number[] | undefined {
	const numbers: number[] = [];
	for (const row of rows) {
		const found = value(row);
		if (typeof found === "number") numbers.push(found);
		else if (found !== null && found !== undefined) return undefined;
	}
	return numbers.length > 0 ? numbers : undefined;
}
