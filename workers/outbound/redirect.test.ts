import { expect, test } from "vitest";
import { type Hop, nextHop } from "./redirect.ts";

const hop = (method = "POST"): Hop => ({
	url: new URL("https://a.example/in?token=1"),
	method,
	headers: { authorization: "Bearer x", "x-api-key": "y", "content-type": "text/plain", accept: "*/*" },
	body: method === "POST" ? "text" : undefined,
});

test.each([
	[301, "POST", "GET"],
	[302, "POST", "GET"],
	[303, "POST", "GET"],
	[307, "POST", "POST"],
	[308, "POST", "POST"],
	[301, "PUT", "PUT"],
	[302, "DELETE", "DELETE"],
	[303, "DELETE", "GET"],
	[303, "HEAD", "HEAD"],
	[301, "HEAD", "HEAD"],
])("%i after %s asks with %s", (status, method, expected) => {
	const next = nextHop(hop(method), status, "/out");
	expect(next?.method).toBe(expected);
	expect(next?.url.href).toBe("https://a.example/out");
	const kept = method === expected;
	expect(next?.body).toBe(kept && method === "POST" ? "text" : undefined);
	expect(next?.headers["content-type"]).toBe(kept ? "text/plain" : undefined);
	expect(next?.headers.authorization).toBe("Bearer x");
});

test.each(["https://b.example/", "http://a.example/", "https://a.example:8443/", "//b.example"])(
	"%s is another origin and gets no header that could be a secret",
	(location) => {
		expect(nextHop(hop("GET"), 307, location)?.headers).toEqual({ "content-type": "text/plain", accept: "*/*" });
		expect(() => nextHop(hop(), 307, location)).toThrow("a redirect to another origin is not sent the body");
		expect(nextHop(hop(), 303, location)).toMatchObject({ method: "GET", body: undefined });
	},
);

test("the same host over TLS is sent the body that it was sent without", () => {
	const plain = { ...hop(), url: new URL("http://a.example/in") };
	expect(nextHop(plain, 308, "https://a.example/in")).toMatchObject({ body: "text", headers: { accept: "*/*" } });
});

test("a location cannot log in", () => {
	expect(nextHop(hop(), 302, "https://user:pass@b.example/")?.url.href).toBe("https://b.example/");
});

test.each([200, 204, 300, 304, 305, 306, 399, 404])("%i is an answer", (status) => {
	expect(nextHop(hop(), status, "/out")).toBeUndefined();
});

test("a redirect without a location is an answer", () => expect(nextHop(hop(), 302, undefined)).toBeUndefined());

test.each(["file:///etc/passwd", "gopher://a/", "data:,x", "javascript:1"])("%s is refused", (location) => {
	expect(() => nextHop(hop(), 302, location)).toThrow(expect.objectContaining({ reason: "scheme" }));
});

test.each(["http://", "http://a b/", "//[::1", "https://1.2.3.4.5/"])("%s is refused as no URL", (location) => {
	expect(() => nextHop(hop(), 302, location)).toThrow(expect.objectContaining({ reason: "url" }));
});
