/** Files of reports, kept in pieces in ClickHouse until they expire. */
import { createHash } from "node:crypto";
import type { ClickHouse } from "../clickhouse.ts";

/** Names the files of one attempt at a run. */
export interface FilesOf {
	readonly project: string;
	readonly report_id: string;
	readonly run_id: string;
	readonly attempt: number;
}

export interface StoredFile {
	/** Of its content: `data`, or a format. */
	readonly name: string;
	readonly bytes: number;
	readonly sha256: string;
}

/** Text of base64, so that a piece stays well under what a row may be. */
const PIECE_CHARACTERS = 1_000_000;

export class ReportFiles {
	readonly #client: ClickHouse;

	constructor(client: ClickHouse) {
		this.#client = client;
	}

	/** Writing it again changes nothing. */
	async write(of: FilesOf, name: string, content: Buffer, expires_at: Date): Promise<StoredFile> {
		const text = content.toString("base64");
		const pieces = Math.max(1, Math.ceil(text.length / PIECE_CHARACTERS));
		await this.#client.insert({
			table: "report_files",
			values: Array.from({ length: pieces }, (_, piece) => ({
				...{ ...of, name, piece, expires_at: Math.floor(expires_at.getTime() / 1_000) },
				content: text.slice(piece * PIECE_CHARACTERS, (piece + 1) * PIECE_CHARACTERS),
			})),
			format: "JSONEachRow",
		});
		return { name, bytes: content.length, sha256: sha256(content) };
	}

	/** @returns undefined when it has expired, or not all of it is there any more */
	async read(of: FilesOf, { name, sha256: expected }: StoredFile): Promise<Buffer | undefined> {
		const result = await this.#client.query({
			query: `SELECT content FROM report_files
				WHERE project = {project:String} AND report_id = {report_id:String} AND run_id = {run_id:String}
					AND attempt = {attempt:UInt32} AND name = {name:String}
				ORDER BY piece LIMIT 1 BY piece`,
			query_params: { ...of, name },
			format: "JSONEachRow",
		});
		const rows = await result.json<{ content: string }>();
		const content = Buffer.from(rows.map((row) => row.content).join(""), "base64");
		return sha256(content) === expected ? content : undefined;
	}
}

function sha256(content: Buffer): string {
	return createHash("sha256").update(content).digest("hex");
}
