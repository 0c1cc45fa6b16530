/** Ratings that users give: one scale of 1 to 5 for all, as SQL over a row of `feedback.submitted`. */

export const FEEDBACK_EVENT = "feedback.submitted";
/** A mean of fewer ratings is not answered. */
export const MIN_RATINGS = 5;

const WORD = "lower(strings['rating'])";
const UP = "('up', 'thumbs_up', 'thumbs-up', '👍', 'true')";
const DOWN = "('down', 'thumbs_down', 'thumbs-down', '👎', 'false')";
const VALUE = "if(mapContains(numbers, 'rating'), numbers['rating'], toFloat64OrNull(strings['rating']))";
/** Maximum of the scale, the minimum is 1; 5 when the client names none. */
const SCALE =
	"if(numbers['scale'] > 0, numbers['scale'], coalesce(nullIf(greatest(toFloat64OrZero(strings['scale']), 0), 0), 5))";

/**
 * Nullable(Float64): the rating from 1 to 5. Other scales are mapped linearly, thumbs (and 1 or 0 on a scale of 1) are 5 and 1;
 * null for what lies outside its scale or is no rating.
 */
export const RATING = `multiIf(
	${WORD} IN ${UP}, 5., ${WORD} IN ${DOWN}, 1.,
	${SCALE} <= 1 AND ${VALUE} IN (0, 1), 1 + 4 * ${VALUE},
	${SCALE} > 1 AND ${VALUE} BETWEEN 1 AND ${SCALE}, 1 + 4 * (${VALUE} - 1) / (${SCALE} - 1),
	NULL)`;

/** Whether there were only two answers to choose from. */
export const BINARY_RATING = `(${WORD} IN ${UP} OR ${WORD} IN ${DOWN} OR ${SCALE} <= 2)`;
