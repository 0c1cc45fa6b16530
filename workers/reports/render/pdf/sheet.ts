/** The pages of a report: where the next thing goes, when a new page begins, and what stands on all of them. */
import PDFDocument from "pdfkit";
import type { ReportDocument } from "../../../../schema/report-document.ts";
import { dataThroughText, lineText, periodText } from "../format.ts";
import type { Fonts } from "./fonts.ts";
import { CONTENT_WIDTH, colourOf, type Ink, PAGE } from "./theme.ts";
import { ASCENT, LEADING, type Line, type Style, Typesetter } from "./typesetter.ts";

const FURNITURE: Style = { size: 7.5 };
const BOTTOM = PAGE.height - PAGE.bottom;

export class Sheet {
	readonly doc: PDFKit.PDFDocument;
	readonly type: Typesetter;
	/** Top of what comes next. */
	y: number = PAGE.top;
	/** What was left out on the way, told at the end; each once. */
	readonly omitted = new Set<string>();
	readonly #report: ReportDocument;

	constructor(report: ReportDocument, fonts: Fonts) {
		this.#report = report;
		const title = lineText(report.title);
		this.doc = new PDFDocument({
			size: [PAGE.width, PAGE.height],
			margin: 0,
			autoFirstPage: false,
			bufferPages: true,
			lang: "en",
			displayTitle: true,
			pdfVersion: "1.7",
			info: {
				Title: title,
				Author: lineText(report.project),
				Creator: "Tidemark",
				Producer: "Tidemark",
				// Also the seed of the file's id: the same report is the same bytes.
				CreationDate: new Date(report.generated_at),
				ModDate: new Date(report.generated_at),
			},
		});
		this.type = new Typesetter(this.doc, fonts);
		this.addPage();
	}

	get room(): number {
		return BOTTOM - this.y;
	}

	addPage(): void {
		this.doc.addPage();
		this.y = PAGE.top;
		if (this.#report.draft === true) this.#watermark();
	}

	/** Begins a new page when less than `height` is left. True when it did. */
	ensure(height: number): boolean {
		if (height <= this.room || this.y === PAGE.top) return false;
		this.addPage();
		return true;
	}

	/** Draws lines from `y` on, each as far from the next as its size asks. */
	lines(lines: readonly Line[], x: number, style: Style, ink: Ink): void {
		const height = style.size * LEADING;
		for (const { text } of lines) {
			this.ensure(height);
			this.type.draw(text, x, this.y + style.size * ASCENT, style, colourOf(ink));
			this.y += height;
		}
	}

	/** A text over the whole width, or from `indent` on. */
	paragraph(text: string, style: Style, ink: Ink, indent = 0): void {
		const { lines } = this.type.wrap(text, style, CONTENT_WIDTH - indent);
		this.lines(lines, PAGE.left + indent, style, ink);
	}

	rule(y: number, ink: Ink = "rule", width = 0.6): void {
		this.doc.lineWidth(width).strokeColor(colourOf(ink));
		this.doc
			.moveTo(PAGE.left, y)
			.lineTo(PAGE.width - PAGE.right, y)
			.stroke();
	}

	/** Puts head and foot on all pages, which are counted only now, and answers with the file. */
	async finish(): Promise<Buffer> {
		const { count } = this.doc.bufferedPageRange();
		for (let page = 0; page < count; page++) {
			this.doc.switchToPage(page);
			if (page > 0) this.#head();
			this.#foot(page + 1, count);
		}
		const chunks: Buffer[] = [];
		const ended = new Promise<void>((resolve, reject) => {
			this.doc.on("data", (chunk: Buffer) => chunks.push(chunk));
			this.doc.on("end", resolve);
			this.doc.on("error", reject);
		});
		this.doc.end();
		await ended;
		return Buffer.concat(chunks);
	}

	#head(): void {
		const baseline = 40;
		const project = this.type.fit(lineText(this.#report.project), FURNITURE, CONTENT_WIDTH * 0.35);
		const title = this.type.fit(lineText(this.#report.title), { ...FURNITURE, weight: "bold" }, CONTENT_WIDTH * 0.6);
		this.type.draw(title.text, PAGE.left, baseline, { ...FURNITURE, weight: "bold" }, colourOf("muted"));
		this.type.draw(project.text, PAGE.width - PAGE.right - project.width, baseline, FURNITURE, colourOf("muted"));
		this.rule(baseline + 6, "rule", 0.5);
	}

	#foot(page: number, pages: number): void {
		const y = PAGE.height - 40;
		const period = `${periodText(this.#report.period)} (${this.#report.period.timezone})`;
		this.rule(y - 6, "rule", 0.5);
		const baseline = y + 6;
		this.type.draw(period, PAGE.left, baseline, FURNITURE, colourOf("muted"));
		const through = dataThroughText(this.#report);
		const middle = (PAGE.width - this.type.width(through, FURNITURE)) / 2;
		// A long period may reach the middle.
		const after = PAGE.left + this.type.width(period, FURNITURE) + 14;
		this.type.draw(through, Math.max(middle, after), baseline, FURNITURE, colourOf("muted"));
		const number = `${page} / ${pages}`;
		const right = PAGE.width - PAGE.right - this.type.width(number, FURNITURE);
		this.type.draw(number, right, baseline, FURNITURE, colourOf("muted"));
	}

	#watermark(): void {
		const style: Style = { size: 132, weight: "bold" };
		const text = "DRAFT";
		const [x, y] = [PAGE.width / 2, PAGE.height / 2];
		this.doc.save();
		this.doc.rotate(-52, { origin: [x, y] }).fillOpacity(0.09);
		this.type.draw(text, x - this.type.width(text, style) / 2, y + style.size * 0.36, style, colourOf("draft"));
		this.doc.restore();
	}
}
