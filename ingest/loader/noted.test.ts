import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { noted } from "./noted.ts";

let folder: string;
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), "tidemark-noted-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

it("a replay is told the same ids as the first try, whatever is stored by then", async () => {
	const stored = ["old"];
	const ask = (segment: string) =>
		noted(join(folder, `${segment}.known`), async () => ({ suspects: ["old", "new"], stored: [...stored] }));
	expect((await ask("1.seg")).stored).toEqual(["old"]);
	stored.push("new");
	expect((await ask("1.seg")).stored).toEqual(["old"]);
	expect((await ask("2.seg")).stored).toEqual(["old", "new"]);
});
