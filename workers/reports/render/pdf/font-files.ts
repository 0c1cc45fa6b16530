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

export class FontFiles {
	readonly #files: ReadonlyMap<Family, ReadonlyMap<number, readonly FontFile[]>>;

	private constructor(files: ReadonlyMap<Family, ReadonlyMap<number, readonly FontFile[]>>) {
		this.#files = files;
	}

	static async read(): Promise<FontFiles> {
		const read = FAMILIES.map(async (family) => [family, await filesOf(family)] as const);
		return new FontFiles(new Map(await Promise.all(read)));
	}

	/** Those that promise a character, the best first. Some do not have it all the same. */
	of(code: number, families: readonly Family[]): FontFile[] {
		return families.flatMap((family) => this.#files.get(family)!.get(code) ?? []);
	}

	/** Compressed, and of variable weight. */
	async contentOf({ family, name }: FontFile): Promise<Buffer> {
		return await readFile(resolve(`@fontsource-variable/${family}/files/${name}`));
	}
}

async function filesOf(family: Family): Promise<Map<number, FontFile[]>> {
	const list = await readFile(resolve(`@fontsource-variable/${family}/unicode.json`), "utf8");
	const files = new Map<number, FontFile[]>();
	for (const [slice, ranges] of Object.entries(JSON.parse(list) as Record<string, string>)) {
		const file: FontFile = { family, name: `${family}-${slice.replace(/[[\]]/g, "")}-wght-normal.woff2` };
		for (const range of ranges.split(",")) {
			const [from, to = from] = range
				.trim()
				.slice("U+".length)
				.split("-")
				.map((hex) => Number.parseInt(hex, 16));
			for (let code = from!; code <= to!; code++) {
				const known = files.get(code);
				if (known === undefined) files.set(code, [file]);
				else known.push(file);
			}
		}
	}
	return files;
}
