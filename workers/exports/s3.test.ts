// What a bucket may answer beside success, from a server on loopback that says so.
import type { IncomingMessage } from "node:http";
import { afterAll, expect, test } from "vitest";
import { httpServer, type TestServer } from "../../tests/support/loopback.ts";
import { PermanentJobError } from "../jobs/job.ts";
import { openOutbound } from "../outbound/outbound.ts";
import { s3Target } from "./s3.ts";
import { S3Bucket } from "./s3-requests.ts";
import type { Target } from "./target.ts";

const outbound = openOutbound({ allow: ["127.0.0.1"] });
const servers: TestServer[] = [];
afterAll(async () => {
	outbound.close();
	await Promise.all(servers.map((server) => server.stop()));
});

type Answer = readonly [status: number, body: string];
const refusal = (code: string): string => `<Error><Code>${code}</Code><Message>so it is</Message></Error>`;

/** @param answers in turn to requests of each kind, the last one for ever; what is not named is answered as S3 does */
async function bucketThat(
	answers: Readonly<Record<string, readonly Answer[]>>,
): Promise<{ target: Target; asked: string[] }> {
	const asked: string[] = [];
	const server = await httpServer((request, response) => {
		request.resume().on("end", () => {
			const kind = kindOf(request);
			asked.push(kind);
			const times = asked.filter((one) => one === kind).length;
			const [status, body] = answers[kind]?.[times - 1] ?? answers[kind]?.at(-1) ?? USUAL[kind] ?? [500, ""];
			response.writeHead(status, { etag: '"e"' }).end(body);
		});
	});
	servers.push(server);
	const access = {
		...{ bucket: "b", region: "us-east-1", endpoint: `http://127.0.0.1:${server.port}` },
		...{ access_key_id: "a", secret_access_key: "s" },
	};
	return { target: s3Target(new S3Bucket(access, outbound, new AbortController().signal), "p/"), asked };
}

function kindOf({ method, url }: IncomingMessage): string {
	const query = new URL(url!, "http://b").searchParams;
	if (query.has("uploads")) return method === "POST" ? "begin" : "list";
	if (query.has("partNumber")) return "part";
	if (query.has("uploadId")) return method === "POST" ? "complete" : "abort";
	return method!;
}

const USUAL: Readonly<Record<string, Answer>> = {
	begin: [200, "<UploadId>u</UploadId>"],
	list: [200, "<Upload><Key>p/x</Key><UploadId>u</UploadId></Upload>"],
	part: [200, ""],
	complete: [200, "<CompleteMultipartUploadResult/>"],
	abort: [204, ""],
};

async function* large(): AsyncGenerator<Buffer> {
	yield Buffer.alloc(9 * 1024 * 1024);
}

test("an upload whose completion fails after its 200 is completed again, and its parts are kept", async () => {
	const { target, asked } = await bucketThat({ complete: [[200, refusal("InternalError")], USUAL.complete!] });
	await target.write("x", large());
	expect(asked).toEqual(["begin", "part", "complete", "complete"]);
});

test("an upload that is gone, as after a completion whose answer was lost, is begun anew by the next attempt", async () => {
	const lost: Answer[] = [[503, ""], [404, refusal("NoSuchUpload")], USUAL.complete!];
	const { target, asked } = await bucketThat({ complete: lost });
	const error = await target.write("x", large()).catch((thrown: unknown) => thrown);
	expect(error).toMatchObject({ code: "NoSuchUpload" });
	expect(error).not.toBeInstanceOf(PermanentJobError);
	await target.write("x", large());
	expect(asked.slice(-3)).toEqual(["begin", "part", "complete"]);
});

test.each([
	["list", 403, "AccessDenied"],
	["list", 501, "NotImplemented"],
	["abort", 403, "AccessDenied"],
])(
	"a bucket that refuses to %s uploads with %i is written to all the same, and asked once",
	async (kind, status, code) => {
		const { target, asked } = await bucketThat({ [kind]: [[status, refusal(code)]] });
		await target.clear();
		expect(asked.filter((one) => one === kind)).toEqual([kind]);
	},
);

test("what a bucket cannot do, it will not do in a minute", async () => {
	const { target, asked } = await bucketThat({ PUT: [[501, refusal("NotImplemented")]] });
	await expect(target.write("x", (async function* () {})())).rejects.toBeInstanceOf(PermanentJobError);
	expect(asked).toEqual(["PUT"]);
});
