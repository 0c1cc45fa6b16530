/** How the engine takes upper and lower case for the same, so that what is matched outside of it means the same. */

/**
 * Capitals that the engine's search without case takes as they are: its table is of an older Unicode and knows single letters only.
 * A test asks the engine about every letter.
 */
const AS_THEY_ARE =
	/[\u0130\u03f4\u13a0-\u13f5\u1c89-\u1cbf\u2126\u212a\u212b\u2c2f\ua7ae\ua7b2-\ua7dc\ua7f5\u{104b0}-\u{104d3}\u{10570}-\u{10595}\u{10c80}-\u{10cb2}\u{10d50}-\u{10d65}\u{16e40}-\u{16e5f}\u{16ea0}-\u{16eb8}\u{1e900}-\u{1e921}]/u;

const ASCII = /^[\0-\x7f]*$/;

/** As `positionCaseInsensitiveUTF8` compares: two texts are the same to it when these are. */
export function fold(text: string): string {
	if (ASCII.test(text)) return text.toLowerCase();
	return text.replace(/\p{Lu}/gu, (letter) => (AS_THEY_ARE.test(letter) ? letter : letter.toLowerCase()));
}

/** As `lower` and the tokens of the text index: nothing but A to Z. */
export function lowerAscii(text: string): string {
	return ASCII.test(text) ? text.toLowerCase() : text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}
