import { describe, expect, test } from "vitest";
import { readMultipart } from "./multipart.ts";
import { readCredentials, readQueryRequest } from "./request.ts";

const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString("base64")}` });

describe("credentials", () => {
	test("come by header, Basic or URL", () => {
		const none = new URLSearchParams();
		expect(readCredentials(none, {})).toEqual({ user: "default", password: "" });
		expect(readCredentials(none, basic("default:a:b"))).toEqual({ user: "default", password: "a:b" });
		expect(readCredentials(none, { "x-clickhouse-user": "u", "x-clickhouse-key": "k" })).toEqual({
			user: "u",
			password: "k",
		});
		expect(readCredentials(new URLSearchParams("password=p"), {})).toEqual({ user: "default", password: "p" });
	});

	test("two ways at once are refused", () => {
		expect(() => readCredentials(new URLSearchParams("user=u"), basic("a:b"))).toThrow(/516/);
	});

	test("another scheme is refused", () => {
		expect(() => readCredentials(new URLSearchParams(), { authorization: "Bearer x" })).toThrow(/Bearer/);
	});
});

describe("parameters", () => {
	test("settings and params go to the engine, the interface's own do not", () => {
		const params = new URLSearchParams("query=SELECT+1&max_threads=2&param_x=y&enable_http_compression=1&query_id=q");
		const request = readQueryRequest(params, {});
		expect([...request.settings]).toEqual([
			["max_threads", "2"],
			["param_x", "y"],
		]);
		expect(request).toMatchObject({ query: "SELECT 1", queryId: "q", compress: true, defaultFormat: "TabSeparated" });
	});

	test.each(["session_id=x", "role=x", "compress=1", "decompress=1"])("%s is refused by name", (query) => {
		expect(() => readQueryRequest(new URLSearchParams(query), {})).toThrow(/not supported by the embedded engine/);
	});

	test("a name that could break out of SET is no setting", () => {
		expect(() => readQueryRequest(new URLSearchParams([["a = 1; DROP TABLE t; SET b", "1"]]), {})).toThrow(/115/);
	});
});

describe("multipart", () => {
	const body = (...parts: string[]) => Buffer.from(`${parts.map((part) => `--B\r\n${part}\r\n`).join("")}--B--\r\n`);

	test("fields are read byte by byte, newlines and dashes included", () => {
		const fields = readMultipart(
			body(
				'Content-Disposition: form-data; name="query"\r\n\r\nSELECT\r\n--b',
				'content-disposition: form-data; name="param_é"\r\n\r\n',
			),
			"multipart/form-data; boundary=B",
		);
		expect(fields).toEqual([
			["query", "SELECT\r\n--b"],
			["param_é", ""],
		]);
	});

	test.each([
		"",
		"--B\r\n",
		'--B\r\nContent-Disposition: form-data; name="x"\r\n\r\nno end',
		"--B\r\nX: y\r\n\r\n1\r\n--B--",
	])("malformed: %j", (text) => {
		expect(() => readMultipart(Buffer.from(text), "multipart/form-data; boundary=B")).toThrow(/Malformed/);
	});

	test("files are refused by name", () => {
		const file = body('Content-Disposition: form-data; name="t"; filename="t.csv"\r\n\r\n1');
		expect(() => readMultipart(file, "multipart/form-data; boundary=B")).toThrow(/External tables/);
	});
});
