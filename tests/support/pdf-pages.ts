/** Reads a PDF as a person does: its pages as text and as pictures. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Canvas, ImageData } from "@napi-rs/canvas";
import { getDocument, type PDFDocumentProxy, type PDFPageProxy, VerbosityLevel } from "pdfjs-dist/legacy/build/pdf.mjs";

/** Pixels a point. */
const SCALE = 2;

export interface Text {
	readonly text: string;
	/** Of its left end and its baseline, points from the upper left corner of the page. */
	readonly x: number;
	readonly y: number;
}

export class Page {
	readonly texts: readonly Text[];
	readonly #picture: ImageData | undefined;

	constructor(texts: readonly Text[], picture: ImageData | undefined) {
		this.texts = texts;
		this.#picture = picture;
	}

	get #pixels(): ImageData {
		if (this.#picture === undefined) throw new Error("this page was not turned into a picture");
		return this.#picture;
	}

	/** Everything that stands on the page, in the order it was drawn, without spaces: those between fonts are not told. */
	get text(): string {
		return unspaced(this.texts.map(({ text }) => text).join(""));
	}

	has(text: string): boolean {
		return this.text.includes(unspaced(text));
	}

	/** Where a text begins. */
	find(text: string): Text {
		const found = this.texts.find((one) => one.text === text);
		if (found === undefined) throw new Error(`"${text}" is not on the page: ${this.text}`);
		return found;
	}

	/** Which of the points of an area have a colour, `#rrggbb`, near enough; `x` and `y` are of the page. */
	coloured(colour: string, area: Area): { x: number; y: number }[] {
		const wanted = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
		const found: { x: number; y: number }[] = [];
		const { data, width } = this.#pixels;
		for (let y = Math.round(area.top * SCALE); y < area.bottom * SCALE; y++) {
			for (let x = Math.round(area.left * SCALE); x < area.right * SCALE; x++) {
				const at = (y * width + x) * 4;
				if (wanted.every((part, index) => Math.abs(part - data[at + index]!) < 40)) {
					found.push({ x: x / SCALE, y: y / SCALE });
				}
			}
		}
		return found;
	}

	/** A part of the picture, to compare it with another. */
	cutOut({ left, right, top, bottom }: Area): string {
		const rows: string[] = [];
		const { data, width } = this.#pixels;
		for (let y = Math.round(top * SCALE); y < bottom * SCALE; y++) {
			const from = (y * width + Math.round(left * SCALE)) * 4;
			rows.push(Buffer.from(data.slice(from, from + Math.round((right - left) * SCALE) * 4)).toString("base64"));
		}
		return rows.join("\n");
	}
}

const unspaced = (text: string): string => text.replace(/\s+/g, "");

export interface Area {
	readonly left: number;
	readonly right: number;
	readonly top: number;
	readonly bottom: number;
}

export interface ReadOptions {
	/** How many pages are also turned into pictures, from the first on. */
	readonly pictures?: number;
	/** Pictures of all pages are left there, for people to look at. */
	readonly folder?: string | undefined;
}

export async function readPages(pdf: Buffer, { pictures = 0, folder }: ReadOptions = {}): Promise<Read> {
	const file = await getDocument({ data: new Uint8Array(pdf), verbosity: VerbosityLevel.ERRORS }).promise;
	const pages: Page[] = [];
	for (let number = 1; number <= file.numPages; number++) {
		const page = await file.getPage(number);
		const { height } = page.getViewport({ scale: 1 });
		const texts = (await page.getTextContent()).items.flatMap((item) =>
			"str" in item && item.str !== "" ? [{ text: item.str, x: item.transform[4], y: height - item.transform[5] }] : [],
		);
		const canvas = number <= pictures || folder !== undefined ? await draw(file, page) : undefined;
		pages.push(new Page(texts, canvas?.getContext("2d").getImageData(0, 0, canvas.width, canvas.height)));
		if (canvas !== undefined && folder !== undefined) {
			await mkdir(folder, { recursive: true });
			await writeFile(join(folder, `page-${number}.png`), canvas.toBuffer("image/png"));
		}
	}
	const { info } = await file.getMetadata();
	await file.loadingTask.destroy();
	return { pages, info: info as Record<string, unknown> };
}

interface Read {
	readonly pages: readonly Page[];
	readonly info: Record<string, unknown>;
}

async function draw(file: PDFDocumentProxy, page: PDFPageProxy): Promise<Canvas> {
	const viewport = page.getViewport({ scale: SCALE });
	const factory = file.canvasFactory as { create(width: number, height: number): { canvas: Canvas } };
	const { canvas } = factory.create(Math.ceil(viewport.width), Math.ceil(viewport.height));
	// Its type is that of browsers, which are not known here.
	await page.render({ canvas: canvas as never, viewport }).promise;
	return canvas;
}
