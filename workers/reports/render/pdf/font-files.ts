/** Which files of the font packages may have a character. */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

/** Noto Sans for Latin, Greek and Cyrillic, and its Chinese, Japanese and Korean families. */
const FAMILIES = ["noto-sans", "noto-sans-sc", "noto-sans-jp", "noto-sans-kr"] as const;
export type Family = (typeof FAMILIES)[number];
const { resolve } = createRequire(import.meta.url);

/**
 * Han characters have a shape of their own in each country: which one a text wants is told by the kana or hangul beside
 * them.
 */
export function familiesFor(text: string): readonly Family[] {
	if (/[\p{Script=Hiragana}\p{Script=Katakana}]/u.test(text)) return JAPANESE;
	return /\p{Script=Hangul}/u.test(text) ? KOREAN : FAMILIES;
}
const JAPANESE: readonly Family[] = ["noto-sans", "noto-sans-jp", "noto-sans-sc", "noto-sans-kr"];
const KOREAN: readonly Family[] = ["noto-sans", "noto-sans-kr", "noto-sans-sc", "noto-sans-jp"];

/** A font file of some hundred characters. */
export interface FontFile {
	readonly family: Family;
	readonly name: string;
}

/** Characters of a file that follow each other. */
interface Range {
	readonly from: number;
	readonly to: number;
	readonly file: FontFile;
}
/** By the page of 256 characters that they reach into. */
type Ranges = ReadonlyMap<number, readonly Range[]>;
const pageOf = (code: number): number => code >> 8;

export class FontFiles {
	readonly #ranges: ReadonlyMap<Family, Ranges>;

	private constructor(ranges: ReadonlyMap<Family, Ranges>) {
		this.#ranges = ranges;
	}

	static async read(): Promise<FontFiles> {
		const read = FAMILIES.map(async (family) => [family, await rangesOf(family)] as const);
		return new FontFiles(new Map(await Promise.all(read)));
	}

	/** Those that promise a character, the best first. Some do not have it all the same. */
	of(code: number, families: readonly Family[]): FontFile[] {
		return families.flatMap((family) => {
			const near = this.#ranges.get(family)!.get(pageOf(code)) ?? [];
			return near.filter(({ from, to }) => from <= code && code <= to).map(({ file }) => file);
		});
	}

	/** Compressed, and of variable weight. */
	async contentOf({ family, name }: FontFile): Promise<Buffer> {
		return await readFile(resolve(`@fontsource-variable/${family}/files/${name}`));
	}
}

async function rangesOf(family: Family): Promise<Ranges> {
	const list = await readFile(resolve(`@fontsource-variable/${family}/unicode.json`), "utf8");
	const pages = new Map<number, Range[]>();
	for (const [slice, text] of Object.entries(JSON.parse(list) as Record<string, string>)) {
		const file: FontFile = { family, name: `${family}-${slice.replace(/[[\]]/g, "")}-wght-normal.woff2` };
		for (const part of text.split(",")) {
			const [from, to = from] = part
				.trim()
				.slice("U+".length)
				.split("-")
				.map((hex) => Number.parseInt(hex, 16));
			for (let page = pageOf(from!); page <= pageOf(to!); page++) {
				const ranges = pages.get(page) ?? [];
				pages.set(page, ranges);
				ranges.push({ from: from!, to: to!, file });
			}
		}
	}
	return pages;
}
