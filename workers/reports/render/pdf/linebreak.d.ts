/** The package brings no types of its own. */
declare module "linebreak" {
	interface Break {
		/** A line may end before this place of the text. */
		readonly position: number;
		/** A line must end there. */
		readonly required: boolean;
	}
	/** Where a line of a text may end (UAX #14). */
	export default class LineBreaker {
		constructor(text: string);
		nextBreak(): Break | null;
	}
}
