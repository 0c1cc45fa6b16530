/** How the ids of one person are looked for: as values of columns, and as words of texts. Patterns are RE2, as ClickHouse reads them. */

/** The ids of a person, and what finds them. */
export interface Subject {
	/** The user id that was asked for, then the anonymous ids that belong to it. */
	readonly ids: readonly string[];
	/** Numbers that stand for the person in the columns `person` (see the migration that adds it), decimal. */
	readonly persons: readonly string[];
	/** Those of them that stand in the column `anonymous`. */
	readonly anonymous: readonly string[];
	/** Finds an id that is the value of a member of JSON that names a person, and what `word` finds. */
	readonly quoted: string;
	/** Finds an id that is a whole word of a text. */
	readonly word: string;
	/** What both begin with looking for, since it is fast. */
	readonly needles: readonly string[];
}

/** Shorter ones are words and numbers of every other line ("7", "root"). */
export const WORD_CHARACTERS = 6;
/** ClickHouse searches for at most so many texts at once. */
const MAX_NEEDLES = 255;
/** A dot or a dash ends an id only at the end of a word: `u1` is not in `u1-b`, and is in `u1.` */
const JOINT = "[-.@]";
const BEFORE = `(?:^|[^\\pL\\pN_\\-.@]|\\\\[nrtbf]|(?:^|[^\\pL\\pN_])${JOINT})`;
const AFTER = `(?:$|[^\\pL\\pN_\\-.@]|${JOINT}(?:$|[^\\pL\\pN_]))`;
/** In the names of members whose value is the id of a person. */
export const WHOSE = "(?i:user|anonymous|account|customer|member|person|subject|uid)";
const MEMBER = `"[^"]*${WHOSE}[^"]*"\\s*:\\s*(?:\\{"id":\\s*)?`;
const NEVER = "$.^";

/**
 * @param freeText whether words of texts count; unset, those of ids that are long enough to mean nobody else
 * @param hashes of the ids, in their order: `sipHash64`, decimal
 */
export function subjectOf(ids: readonly string[], hashes: readonly string[], freeText: boolean | undefined): Subject {
	const words = ids.filter((id) => freeText ?? [...id].length >= WORD_CHARACTERS);
	const anonymous = hashes.slice(1).map((hash) => String((BigInt(hash) >> 1n) << 1n));
	const numbers = ids.filter((id) => /^\d{1,20}$/.test(id));
	const word = words.length === 0 ? NEVER : `${BEFORE}${anyOf(words)}${AFTER}`;
	const quoted = [
		`${MEMBER}"${anyOf(ids)}"`,
		...(numbers.length === 0 ? [] : [`${MEMBER}${anyOf(numbers)}[,}\\]]`]),
		...(words.length === 0 ? [] : [word]),
	].join("|");
	const needles = [...new Set(ids.flatMap((id) => [id, inJson(id)]))];
	return {
		...{ ids, anonymous, word, quoted },
		persons: [...hashes.map((hash) => String(BigInt(hash) | 1n)), ...anonymous],
		needles: needles.length > MAX_NEEDLES ? [] : needles,
	};
}

function anyOf(ids: readonly string[]): string {
	return `(?:${[...new Set(ids.flatMap((id) => [id, inJson(id)]))].map(escaped).join("|")})`;
}

function inJson(id: string): string {
	return JSON.stringify(id).slice(1, -1);
}

function escaped(text: string): string {
	return text.replace(/[!-/:-@[-^`{-~]/g, "\\$&");
}

/** The same as SQL: expressions that are constant within a query. */
export interface Terms {
	readonly ids: string;
	readonly persons: string;
	readonly anonymous: string;
	readonly quoted: string;
	readonly word: string;
	/** Undefined where there are too many. */
	readonly needles: string | undefined;
}

/** As parameters of a query. */
export function parameterTerms(subject: Subject): { readonly terms: Terms; readonly params: Record<string, unknown> } {
	const { ids, persons, anonymous, quoted, word, needles } = subject;
	return {
		terms: {
			ids: "{ids:Array(String)}",
			persons: "{persons:Array(UInt64)}",
			anonymous: "{anonymous:Array(UInt64)}",
			quoted: "{quoted:String}",
			word: "{word:String}",
			needles: needles.length === 0 ? undefined : "{needles:Array(String)}",
		},
		params: {
			ids,
			persons: persons.map(BigInt),
			anonymous: anonymous.map(BigInt),
			quoted,
			word,
			...(needles.length === 0 ? {} : { needles }),
		},
	};
}

/** As rows of `erasure_subjects`. */
export function subjectRows(subject: Subject, request_id: string) {
	const row = (kind: string, term: string, hash = "0") => ({ request_id, kind, term, hash });
	return [
		...subject.ids.map((id) => row("id", id)),
		...subject.persons.map((hash) => row("person", "", hash)),
		...subject.anonymous.map((hash) => row("anonymous", "", hash)),
		...subject.needles.map((needle) => row("needle", needle)),
		row("quoted", subject.quoted),
		row("word", subject.word),
	];
}

/** As what reads those rows. @param request_id of letters, digits and _ */
export function storedTerms(subject: Pick<Subject, "needles">, request_id: string): Terms {
	const stored = (what: string, kind: string) =>
		`(SELECT ${what} FROM erasure_subjects WHERE request_id = '${request_id}' AND kind = '${kind}')`;
	return {
		ids: stored("groupArray(term)", "id"),
		persons: stored("groupArray(hash)", "person"),
		anonymous: stored("groupArray(hash)", "anonymous"),
		quoted: stored("any(term)", "quoted"),
		word: stored("any(term)", "word"),
		needles: subject.needles.length === 0 ? undefined : stored("groupArray(term)", "needle"),
	};
}
