/** The fonts of a report: of each file that it needs, at the weight it needs, the glyphs that it uses. */
import { create, type Font } from "fontkit";
import subsetFont from "subset-font";
import { type Family, type FontFile, FontFiles, familiesFor } from "./font-files.ts";

const WEIGHTS = { regular: 400, bold: 600 } as const;
export type Weight = keyof typeof WEIGHTS;

/** A file at one weight. */
export interface Face {
	/** Unique among the faces of a report. */
	readonly name: string;
	/** TrueType. */
	readonly data: Buffer;
	readonly characters: ReadonlySet<number>;
}

/** A part of a text that one face shows. */
export interface Run {
	readonly face: Face;
	readonly text: string;
}

/** Shown where no font has the character. */
export const REPLACEMENT = "\ufffd";
const NEWLINE = 0x0a;

export class Fonts {
	readonly faces: readonly Face[];
	/** Characters that no font has. */
	readonly missing: ReadonlySet<string>;
	readonly #files: FontFiles;
	readonly #faces: ReadonlyMap<string, Face>;
	readonly #chosen = new Map<string, Face | undefined>();

	private constructor(files: FontFiles, faces: ReadonlyMap<string, Face>, missing: ReadonlySet<string>) {
		this.#files = files;
		this.#faces = faces;
		// What has no characters cannot be put into a PDF.
		this.faces = [...faces.values()].filter(({ characters }) => characters.size > 0);
		this.missing = missing;
	}

	/** Reads what the texts need. A character that is shown later must be among theirs, at its weight. */
	static async load(texts: ReadonlyMap<Weight, Iterable<string>>): Promise<Fonts> {
		const files = await FontFiles.read();
		const wanted = new Map<string, Wanted>();
		const faces = new Map<string, Face>();
		const missing = new Set<string>();
		let open = [...texts].flatMap(([weight, all]) => choicesOf(all, weight, files));
		// The best file of a character may lack it against its promise: then the next one is asked.
		while (open.length > 0) {
			const changed = new Set<string>();
			for (const { code, weight, choices } of open) {
				const file = choices[0];
				if (file === undefined) missing.add(String.fromCodePoint(code));
				else {
					const name = nameOf(file, weight);
					const face = wanted.get(name) ?? { file, weight, codes: new Set<number>() };
					wanted.set(name, face);
					face.codes.add(code);
					changed.add(name);
				}
			}
			// One after another: the files are small, and the subsetter has one memory for all.
			for (const name of changed) faces.set(name, await cut(name, wanted.get(name)!, files));
			open = open.flatMap(({ code, weight, choices: [asked, ...others] }) => {
				const found = asked === undefined || faces.get(nameOf(asked, weight))!.characters.has(code);
				return found ? [] : [{ code, weight, choices: others }];
			});
		}
		return new Fonts(files, faces, missing);
	}

	/** Parts a text into runs that one face shows each; what no face has is shown as a replacement character. */
	runs(text: string, weight: Weight): readonly Run[] {
		const families = familiesFor(text);
		const runs: { face: Face; text: string }[] = [];
		for (const given of text) {
			const own = this.#faceOf(given, weight, families);
			const face = own ?? this.#faceOf(REPLACEMENT, weight, families);
			if (face === undefined) throw new Error("fonts were loaded without the replacement character");
			const shown = own === undefined ? REPLACEMENT : given;
			const last = runs.at(-1);
			if (last?.face === face) last.text += shown;
			else runs.push({ face, text: shown });
		}
		return runs;
	}

	/** A line of a text may lack the kana that chose the family for the whole: any face that has the character will do. */
	#faceOf(character: string, weight: Weight, families: readonly Family[]): Face | undefined {
		const key = `${weight} ${families[1]} ${character}`;
		if (this.#chosen.has(key)) return this.#chosen.get(key);
		const code = character.codePointAt(0)!;
		const faces = this.#files.of(code, families).map((file) => this.#faces.get(nameOf(file, weight)));
		const face = faces.find((one) => one?.characters.has(code));
		this.#chosen.set(key, face);
		return face;
	}
}

interface Wanted {
	readonly file: FontFile;
	readonly weight: Weight;
	readonly codes: Set<number>;
}

/** A character, and the files that may have it. */
interface Choice {
	readonly code: number;
	readonly weight: Weight;
	readonly choices: readonly FontFile[];
}

const nameOf = (file: FontFile, weight: Weight): string => `${file.name} ${weight}`;

/** Each character once for each order of families in which it is looked for. */
function choicesOf(texts: Iterable<string>, weight: Weight, files: FontFiles): Choice[] {
	const codes = new Map<readonly Family[], Set<number>>();
	for (const text of texts) {
		const families = familiesFor(text);
		const known = codes.get(families) ?? new Set();
		codes.set(families, known);
		for (const character of text) known.add(character.codePointAt(0)!);
	}
	return [...codes].flatMap(([families, known]) =>
		[...known].filter((code) => code !== NEWLINE).map((code) => ({ code, weight, choices: files.of(code, families) })),
	);
}

async function cut(name: string, { file, weight, codes }: Wanted, files: FontFiles): Promise<Face> {
	const text = [...codes].sort((a, b) => a - b).map((code) => String.fromCodePoint(code));
	const data = await subsetFont(await files.contentOf(file), text.join(""), {
		targetFormat: "truetype",
		variationAxes: { wght: WEIGHTS[weight] },
	});
	return { name, data, characters: charactersOf(data, codes) };
}

/** Those that the font has in fact. */
function charactersOf(data: Buffer, wanted: ReadonlySet<number>): Set<number> {
	const font = create(data) as Font;
	try {
		return new Set(font.characterSet.filter((code) => wanted.has(code)));
	} catch {
		// Of a font that has none of them, no table of characters is left.
		return new Set();
	}
}
