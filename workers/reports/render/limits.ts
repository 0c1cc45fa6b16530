/** How much of a report is put on pages. What is over is left out, and said so: CSV and JSON always have all. */

/** Rows of one table: about fifty printed pages. */
export const MOST_ROWS = { pdf: 2_000, html: 5_000 } as const;
/** Rows of all tables of a report. */
export const MOST_ROWS_TOGETHER = { pdf: 6_000, html: 20_000 } as const;
/** Lines of a cell on paper. */
export const MOST_CELL_LINES = 12;

export const ELSEWHERE = "The CSV and the JSON of this report have all.";

/** Counts the rows that were shown, and says of each table how many still may be. */
export class RowBudget {
	#left: number;
	readonly #each: number;

	constructor(medium: keyof typeof MOST_ROWS) {
		this.#each = MOST_ROWS[medium];
		this.#left = MOST_ROWS_TOGETHER[medium];
	}

	take<R>(rows: readonly R[]): { shown: readonly R[]; remark?: string } {
		const shown = rows.slice(0, Math.min(this.#each, this.#left));
		this.#left -= shown.length;
		if (shown.length === rows.length) return { shown };
		const of = rows.length.toLocaleString("en-US");
		const first = shown.length === 0 ? "None" : `The first ${shown.length.toLocaleString("en-US")}`;
		return { shown, remark: `${first} of ${of} rows are shown. ${ELSEWHERE}` };
	}
}
