/** A real S3 server on loopback: OpenStack Swift with its S3 API (s3-server.py), and a look into its buckets. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { AwsV4Signer } from "aws4fetch";
import type { BucketAccess } from "../../workers/exports/s3-requests.ts";

const SERVER = fileURLToPath(new URL("s3-server.py", import.meta.url));
export const ACCESS_KEY = "test:tester";
export const SECRET_KEY = "testing";

export interface S3Server {
	readonly port: number;
	readonly endpoint: string;
	/** What a destination says of a bucket. */
	access(bucket: string): BucketAccess;
	createBucket(bucket: string): Promise<void>;
	/** Names and sizes. */
	list(bucket: string, prefix?: string): Promise<{ key: string; bytes: number }[]>;
	get(bucket: string, key: string): Promise<Buffer>;
	/** Keys of multipart uploads that were begun and are not over. */
	uploads(bucket: string): Promise<string[]>;
	stop(): Promise<void>;
}

export async function startS3(): Promise<S3Server> {
	const folder = await mkdtemp(join(tmpdir(), "tidemark-s3-"));
	const child = spawn("/usr/bin/python3", [SERVER, folder], { stdio: ["pipe", "pipe", "pipe"] });
	const port = await portOf(child);
	const endpoint = `http://127.0.0.1:${port}`;
	const ask = async (method: string, path: string) => {
		const { url, headers } = await new AwsV4Signer({
			...{ method, url: `${endpoint}/${path}`, service: "s3", region: "us-east-1" },
			...{ accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY },
		}).sign();
		const response = await fetch(url, { method, headers });
		const body = Buffer.from(await response.arrayBuffer());
		if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${body}`);
		return body;
	};
	const keys = (xml: Buffer, tag: string) =>
		[...xml.toString().matchAll(new RegExp(`<${tag}>(.*?)</${tag}>`, "gs"))].map(([, text]) => text!);
	return {
		port,
		endpoint,
		access: (bucket) => ({
			...{ bucket, endpoint, region: "us-east-1", access_key_id: ACCESS_KEY, secret_access_key: SECRET_KEY },
		}),
		async createBucket(bucket) {
			await ask("PUT", bucket);
		},
		async list(bucket, prefix = "") {
			const xml = await ask("GET", `${bucket}?list-type=2&prefix=${encodeURIComponent(prefix)}`);
			return keys(xml, "Contents").map((object) => ({
				key: keys(Buffer.from(object), "Key")[0]!,
				bytes: Number(keys(Buffer.from(object), "Size")[0]),
			}));
		},
		get: (bucket, key) => ask("GET", `${bucket}/${key.split("/").map(encodeURIComponent).join("/")}`),
		async uploads(bucket) {
			const xml = await ask("GET", `${bucket}?uploads=`);
			return keys(xml, "Upload").map((upload) => keys(Buffer.from(upload), "Key")[0]!);
		},
		async stop() {
			child.kill("SIGKILL");
			if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
			await rm(folder, { recursive: true, force: true });
		},
	};
}

async function portOf(child: ChildProcess): Promise<number> {
	let said = "";
	child.stderr!.setEncoding("utf8").on("data", (text: string) => {
		said += text;
	});
	for await (const line of createInterface({ input: child.stdout! })) {
		const [, port] = /^ready (\d+)$/.exec(line) ?? [];
		if (port !== undefined) return Number(port);
	}
	throw new Error(`the S3 server did not start:\n${said}`);
}
