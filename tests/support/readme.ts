import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Of the checkout, with a slash at its end. */
export const root = fileURLToPath(new URL("../..", import.meta.url));
const readme = readFileSync(`${root}README.md`, "utf8");

/** The code blocks of the README in a language, in its order. */
export function readmeBlocks(language: string): string[] {
	return [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, "gm"))].map(([, code]) => code!);
}

/** The one that fills a project with made-up records: it takes most of a minute, so it runs in the test that looks at them only. */
export const isDemo = (code: string) => code.includes("tidemark demo");
