/** A chart's scene as SVG inside the page, in the page's colours. */
import type { Mark, Scene } from "../chart/scene.ts";
import { html, type Markup } from "./markup.ts";

/** @param kind - the class of the width it is drawn for: `wide` or `narrow` */
export function svg(scene: Scene, label: string, kind: string): Markup {
	return html`<svg class="${kind}" viewBox="0 0 ${scene.width} ${round(scene.height)}" font-size="${scene.fontSize}" role="img" aria-label="${label}">${scene.marks.map(markUp)}</svg>`;
}

function markUp(mark: Mark): Markup {
	if (mark.kind === "fill") return html`<path class="${mark.ink}" d="${mark.path}"/>`;
	if (mark.kind === "stroke") {
		const dash = mark.dash && html` stroke-dasharray="${mark.dash.join(" ")}"`;
		return html`<path class="${mark.ink} line" stroke-width="${mark.width}"${dash} d="${mark.path}"/>`;
	}
	const anchor = mark.anchor === "start" ? undefined : html` text-anchor="${mark.anchor}"`;
	return html`<text class="${mark.ink}" x="${round(mark.x)}" y="${round(mark.y)}"${anchor}>${mark.text}</text>`;
}

const round = (value: number): number => Math.round(value * 100) / 100;

/** Width of a text in sizes, near enough to place it: a browser has a font of its own. */
export function estimateWidth(text: string): number {
	let width = 0;
	for (const character of text) {
		const code = character.codePointAt(0)!;
		if (
			code >= 0x1100 &&
			/[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\uff00-\uff60\u3000-\u303f]/u.test(
				character,
			)
		)
			width += 1;
		else if (/[ilj.,:;'|!]/.test(character)) width += 0.3;
		else if (/[\p{Lu}mw—–…%@&]/u.test(character)) width += 0.74;
		else width += 0.58;
	}
	return width;
}
