/** Where the files of exports to download lie. */
import { createHash } from "node:crypto";
import { join } from "node:path";

/** The folder of an export; names of projects may hold what names of folders may not. */
export function exportFolder(folder: string, project: string, export_id: string): string {
	return join(folder, createHash("sha256").update(project).digest("hex").slice(0, 16), export_id);
}
