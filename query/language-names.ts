/** Names of languages by their BCP-47 tags. */

const NAMES = new Intl.DisplayNames("en", { type: "language", fallback: "none" });
/** Not determined, none, and not coded. */
const NO_LANGUAGE = new Set(["und", "zxx", "mis"]);

/**
 * English name of the primary language of a tag as the member of an answer: `pt-BR` is `portuguese`. A language without a name
 * keeps its code; undefined for what is no tag.
 */
export function languageName(tag: string): string | undefined {
	const [primary = ""] = tag.trim().toLowerCase().split(/[-_]/);
	if (!/^([a-z]{2,3}|[a-z]{5,8})$/.test(primary) || NO_LANGUAGE.has(primary)) return undefined;
	return (NAMES.of(primary) ?? primary).toLowerCase().replaceAll(" ", "_");
}
