/** Ratings that users give: one scale of 1 to 5 for all, as SQL over a row of `feedback.submitted`. */

export const FEEDBACK_EVENT = "feedback.submitted";
/** A mean of fewer ratings is not answered. */
export const MIN_RATINGS = 5;

/** SQL of a rating's parts, of a row of `events` or of columns that were made of it. */
interface RatingParts {
	/** Lower-case text. */
	readonly word: string;
	/** Nullable(Float64). */
	readonly value: string;
	/** Maximum of the scale, the minimum is 1. */
	readonly scale: string;
}

/** A rating and its scale as they were sent, of a row of `events`. */
const SENT_RATING = {
	text: "strings['rating']",
	number: "numbers['rating']",
	is_number: "mapContains(numbers, 'rating')",
	maximum: "numbers['scale']",
} as const;

export function ratingParts(sent: Readonly<Record<keyof typeof SENT_RATING, string>>): RatingParts {
	return {
		word: `lower(${sent.text})`,
		value: `if(${sent.is_number}, ${sent.number}, toFloat64OrNull(${sent.text}))`,
		// 5 when the client names none.
		scale: `if(${sent.maximum} > 0, ${sent.maximum}, 5)`,
	};
}

const UP = "('up', 'thumbs_up', 'thumbs-up', '👍', 'true')";
const DOWN = "('down', 'thumbs_down', 'thumbs-down', '👎', 'false')";

/**
 * Nullable(Float64): the rating from 1 to 5. Other scales are mapped linearly, thumbs (and 1 or 0 on a scale of 1) are 5 and 1;
 * null for what lies outside its scale or is no rating.
 */
export const ratingOf = ({ word, value, scale }: RatingParts) => `multiIf(
	${word} IN ${UP}, 5., ${word} IN ${DOWN}, 1.,
	${scale} <= 1 AND ${value} IN (0, 1), 1 + 4 * ${value},
	${scale} > 1 AND ${value} BETWEEN 1 AND ${scale}, 1 + 4 * (${value} - 1) / (${scale} - 1),
	NULL)`;

/** Whether there were only two answers to choose from. */
export const isBinary = ({ word, scale }: RatingParts) => `(${word} IN ${UP} OR ${word} IN ${DOWN} OR ${scale} <= 2)`;

/** @see ratingOf a row of `events` */
export const RATING = ratingOf(ratingParts(SENT_RATING));
