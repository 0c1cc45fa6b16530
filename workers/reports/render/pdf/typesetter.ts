/** Measures, breaks and draws text, each run of it in the font that has its characters. */
import LineBreaker from "linebreak";
import type { Fonts, Run, Weight } from "./fonts.ts";

export interface Style {
	readonly size: number;
	readonly weight?: Weight;
}

export interface Line {
	readonly text: string;
	readonly width: number;
}

/** Distance of two baselines, in sizes. */
export const LEADING = 1.36;
/** From the top of a line to its baseline, in sizes. */
export const ASCENT = 1.02;

const UNIT = 1000;
/** Characters; a page is not wide enough for more. */
const LONGEST_LINE = 1000;
/** Above this the texts of a table hardly repeat, and remembering them costs more than measuring. */
const MOST_REMEMBERED = 50_000;

export class Typesetter {
	readonly #doc: PDFKit.PDFDocument;
	readonly #fonts: Fonts;
	readonly #widths = new Map<string, number>();

	constructor(doc: PDFKit.PDFDocument, fonts: Fonts) {
		this.#doc = doc;
		this.#fonts = fonts;
		for (const face of fonts.faces) doc.registerFont(face.name, face.data);
	}

	width(text: string, { size, weight = "regular" }: Style): number {
		const key = `${weight} ${text}`;
		let units = this.#widths.get(key);
		if (units === undefined) {
			units = 0;
			for (const run of this.#fonts.runs(text, weight)) units += this.#runWidth(run);
			if (this.#widths.size >= MOST_REMEMBERED) this.#widths.clear();
			this.#widths.set(key, units);
		}
		return (units * size) / UNIT;
	}

	/** Lines of at most `width`. What exceeds `most` lines is left out, and the last line says so with an ellipsis. */
	wrap(text: string, style: Style, width: number, most = Number.POSITIVE_INFINITY): { lines: Line[]; cut: boolean } {
		const lines: Line[] = [];
		for (const paragraph of text.split("\n")) {
			for (const line of this.#wrapLine(paragraph, style, width)) {
				if (lines.length === most) {
					lines[most - 1] = this.fit(`${lines[most - 1]!.text}…`, style, width);
					return { lines, cut: true };
				}
				lines.push(line);
			}
		}
		return { lines, cut: false };
	}

	/** One line, cut with an ellipsis where it is too long. */
	fit(text: string, style: Style, width: number): Line {
		const whole = this.width(text, style);
		if (whole <= width) return { text, width: whole };
		const characters = [...text.slice(0, 2000)];
		let [fits, not] = [0, characters.length];
		while (not - fits > 1) {
			const middle = (fits + not) >> 1;
			if (this.width(`${characters.slice(0, middle).join("")}…`, style) <= width) fits = middle;
			else not = middle;
		}
		const cut = `${characters
			.slice(0, fits)
			.join("")
			.replace(/[\s…]+$/u, "")}…`;
		return { text: cut, width: this.width(cut, style) };
	}

	/** @param baseline - y of the baseline */
	draw(text: string, x: number, baseline: number, { size, weight = "regular" }: Style, colour: string): void {
		let at = x;
		this.#doc.fillColor(colour);
		for (const run of this.#fonts.runs(text, weight)) {
			this.#doc.font(run.face.name).fontSize(size);
			this.#doc.text(run.text, at, baseline, { lineBreak: false, baseline: "alphabetic" });
			at += (this.#runWidth(run) * size) / UNIT;
		}
	}

	#runWidth({ face, text }: Run): number {
		return this.#doc.font(face.name).fontSize(UNIT).widthOfString(text);
	}

	*#wrapLine(text: string, style: Style, width: number): Generator<Line> {
		let line = "";
		let start = 0;
		const breaker = new LineBreaker(text);
		for (let next = breaker.nextBreak(); next !== null; next = breaker.nextBreak()) {
			let word = text.slice(start, next.position);
			start = next.position;
			if (word.length <= LONGEST_LINE && this.width((line + word).trimEnd(), style) <= width) {
				line += word;
				continue;
			}
			if (line !== "") yield this.#line(line, style);
			// A name without a place to break, longer than the line: anywhere.
			while (word.length > LONGEST_LINE || this.width(word.trimEnd(), style) > width) {
				const head = this.#head(word, style, width);
				yield this.#line(head, style);
				word = word.slice(head.length);
			}
			line = word;
		}
		yield this.#line(line, style);
	}

	#line(text: string, style: Style): Line {
		const shown = text.trimEnd();
		return { text: shown, width: this.width(shown, style) };
	}

	/** As many characters as fit, at least one. */
	#head(word: string, style: Style, width: number): string {
		const characters = [...word.slice(0, LONGEST_LINE)];
		let [fits, not] = [1, characters.length + 1];
		while (not - fits > 1) {
			const middle = (fits + not) >> 1;
			if (this.width(characters.slice(0, middle).join(""), style) <= width) fits = middle;
			else not = middle;
		}
		return characters.slice(0, fits).join("");
	}
}
