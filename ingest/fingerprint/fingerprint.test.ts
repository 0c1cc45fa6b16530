import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseStack } from "../../schema/stack/index.ts";
import { RECORD_LIMITS } from "../../schema/wire/ingest.ts";
import { fingerprint } from "./fingerprint.ts";

const of = (stack: string, type = "E", message = "m") => {
	const { high, low } = fingerprint(type, message, stack);
	return `${high}-${low}`;
};
const text = (...lines: string[]) => lines.join("\n");

interface Case {
	readonly stack: string;
	readonly culprit: string;
	/** Other texts of the same issue. */
	readonly same: Readonly<Record<string, string>>;
	readonly other: Readonly<Record<string, string>>;
}

const NODE = text(
	"TypeError: Cannot read properties of undefined (reading 'total')",
	"    at Cart.total (/app/src/cart/cart.js:12:7)",
	"    at async checkout (file:///app/src/orders/index.mjs:88:3)",
	"    at async Promise.all (index 0)",
	"    at Layer.handle [as handle_request] (/app/node_modules/express/lib/router/layer.js:95:5)",
	"    at /app/src/server.js:30:1",
	"    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)",
);
const CHROME = text(
	"TypeError: x is not a function",
	"    at load (https://cdn.shop.example/assets/main.3f2a9c1b.js:1:23423)",
	"    at HTMLButtonElement.onClick (https://cdn.shop.example/assets/index-BxQ3k_2a.js?v=17:1:99)",
	"    at t (https://cdn.shop.example/assets/vendor.91ab23cd.js:2:1)",
);
const PYTHON = text(
	"Traceback (most recent call last):",
	'  File "/srv/shop/releases/20240102/shop/db.py", line 12, in query',
	"    cursor.execute(sql)",
	"    ^^^^^^^^^^^^^^^^^^^",
	'  File "/usr/lib/python3.11/site-packages/psycopg2/extras.py", line 236, in execute',
	"    return super().execute(query, vars)",
	"psycopg2.OperationalError: could not connect to 10.0.0.5:5432",
	"",
	"The above exception was the direct cause of the following exception:",
	"",
	"Traceback (most recent call last):",
	'  File "/srv/shop/releases/20240102/main.py", line 3, in <module>',
	"    show(1)",
	'  File "/srv/shop/releases/20240102/shop/views.py", line 33, in show',
	"    raise PageError(1) from error",
	"shop.PageError: page 1 failed",
);
const JAVA = text(
	"com.shop.OrderException: order 5 failed",
	"\tat com.shop.OrderService.place(OrderService.java:42)",
	"\tat com.shop.OrderService$$EnhancerBySpringCGLIB$$a1b2c3d4.place(<generated>)",
	"\tat com.shop.Main.lambda$main$0(Main.java:7)",
	"\tat com.shop.Main$$Lambda$14/0x0000000800c03000.run(Unknown Source)",
	"\tat java.base/java.util.ArrayList.forEach(ArrayList.java:1511)",
	"\tat org.springframework.web.Dispatcher.go(Dispatcher.java:9)",
	"\tSuppressed: java.io.IOException: closed",
	"\t\tat com.shop.Stream.close(Stream.java:1)",
	"\t\t... 3 more",
	"Caused by: java.sql.SQLException: connection 8123 refused",
	"\tat com.mysql.cj.jdbc.ConnectionImpl.connect(ConnectionImpl.java:1)",
	"\tat com.shop.Db.query(Db.kt:30)",
	"\t... 12 more",
);
const GO = text(
	"panic: runtime error: index out of range [5] with length 3",
	"",
	"goroutine 18 [running]:",
	"panic({0x4a1b20?, 0xc0000b2000?})",
	"\t/usr/local/go/src/runtime/panic.go:770 +0x132",
	"example.com/shop/cart.(*Cart).Add(0xc000010000, {0x1, 0x2})",
	"\t/build/cart/cart.go:42 +0x1d",
	"example.com/shop/cart.Fill[...](...)",
	"\t/build/cart/fill.go:9",
	"main.main.func1()",
	"\t/build/main.go:12 +0x1d",
	"created by main.main in goroutine 1",
	"\t/build/main.go:10 +0x1d",
	"",
	"goroutine 1 [select]:",
	"main.idle()",
	"\t/build/idle.go:1 +0x1",
);
const RUBY = text(
	"app/models/user.rb:12:in `save': not saved (RuntimeError)",
	"\tfrom /usr/lib/ruby/gems/3.2.0/gems/rails-7.0.1/lib/rails/x.rb:1:in `call'",
	"\tfrom app/controllers/users_controller.rb:5:in `block (2 levels) in create'",
	"lib/db.rb:1:in `query': gone (PG::Error)",
	"\tfrom app/models/user.rb:10:in `save'",
);
const PHP = text(
	"PDOException: SQLSTATE[HY000] [2002] in /var/www/app/src/Db.php:12",
	"Stack trace:",
	"#0 /var/www/app/src/Repo.php(33): App\\Db->query('SELECT 1', Array)",
	"#1 /var/www/app/vendor/laravel/framework/src/x.php(1): App\\Repo::all()",
	"#2 [internal function]: Illuminate\\Pipeline->{closure}(Object(App\\Request))",
	"#3 {main}",
	"",
	"Next RuntimeException: no users in /var/www/app/src/Service.php:5",
	"Stack trace:",
	"#0 /var/www/app/public/index.php(3): App\\Service->run()",
	"#1 {main}",
);
const DOTNET = text(
	"System.InvalidOperationException: outer",
	" ---> System.ArgumentNullException: Value cannot be null. (Parameter 'x')",
	"   at Shop.Db.Query[T](String sql, List`1 args) in C:\\src\\Shop\\Db.cs:line 10",
	"   at System.Linq.Enumerable.ToList[TSource](IEnumerable`1 source)",
	"   --- End of inner exception stack trace ---",
	"   at Shop.Cart.<AddAsync>d__5.MoveNext() in C:\\src\\Shop\\Cart.cs:line 22",
	"--- End of stack trace from previous location ---",
	"   at Shop.Cart.<>c__DisplayClass5_0.<Fill>b__1(Item i)",
	"   at Microsoft.AspNetCore.Mvc.Executor.Execute(Object o)",
);
const RUST = text(
	"thread 'main' panicked at src/cart.rs:4:5:",
	"index out of bounds: the len is 3 but the index is 5",
	"stack backtrace:",
	"   0: rust_begin_unwind",
	"             at /rustc/90b35a6239c3d8bdabc530a6a0816f7ff89a0aaf/library/std/src/panicking.rs:645:5",
	"   1: core::panicking::panic_fmt",
	"             at /rustc/90b35a6239c3d8bdabc530a6a0816f7ff89a0aaf/library/core/src/panicking.rs:72:14",
	"   2: shop::cart::Cart::add::h0123456789abcdef",
	"             at ./src/cart.rs:4:5",
	"   3: shop::main::{{closure}}",
	"             at ./src/main.rs:9:1",
	"   4: core::ops::function::FnOnce::call_once",
);

const CASES: Readonly<Record<string, Case>> = {
	node: {
		stack: NODE,
		culprit: "total (cart)",
		same: {
			"lines and columns": NODE.replaceAll(/:\d+:\d+/g, ":7:1"),
			"another folder": NODE.replaceAll("/app/src/", "/home/ann/shop-2.3.1/src/"),
			Windows: NODE.replaceAll("/app/src/", "C:\\Users\\ann\\shop\\src\\").replace("file://", ""),
			"another version of a library": NODE.replace("express/lib", ".pnpm/express@4.1.2/node_modules/express/lib"),
			"another library below": NODE.replace(/ {4}at Layer.*\n/, "    at next (/app/node_modules/koa/x.js:1:1)\n"),
			"no async marks, as older engines": NODE.replaceAll("at async ", "at "),
			"another class of the same call": NODE.replace("Cart.total", "SpecialCart.total [as total]"),
			Firefox: text(
				"total@/app/src/cart/cart.js:12:7",
				"async*checkout@file:///app/src/orders/index.mjs:88:3",
				"handle@/app/node_modules/express/lib/router/layer.js:95:5",
				"@/app/src/server.js:30:1",
			),
			"Windows line ends": NODE.replaceAll("\n", "\r\n"),
			"another message": NODE.replace("'total'", "'sum'"),
			"printed by util.inspect": NODE.replace("95:5)\n", "95:5) {\n").replace(/$/, "\n}"),
		},
		other: {
			"another function": NODE.replace("Cart.total", "Cart.sum"),
			"another file": NODE.replace("cart/cart.js", "cart/basket.js"),
			"another folder of an index": NODE.replace("orders/index", "users/index"),
			"a call less": NODE.replace(/.*checkout.*\n/, ""),
			"a cause": `${NODE}\nCaused by: Error: no\n    at f (/app/src/g.js:1:1)`,
		},
	},
	"a browser's bundles": {
		stack: CHROME,
		culprit: "load (main)",
		same: {
			"hashes, columns and query strings of another build": CHROME.replace("3f2a9c1b", "77aa01ff")
				.replace("BxQ3k_2a", "Z-0kLm9Q")
				.replace("91ab23cd", "00aa11bb")
				.replace("?v=17", "")
				.replaceAll(/:1:\d+/g, ":1:7"),
			"another host and port": CHROME.replaceAll("cdn.shop.example", "localhost:3000"),
			"shorter names in a library": CHROME.replace("at t (", "at qe ("),
			Safari: text(
				"load@https://cdn.shop.example/assets/main.3f2a9c1b.js:1:23423",
				"onClick@https://cdn.shop.example/assets/index-BxQ3k_2a.js?v=17:1:99",
				"t@https://cdn.shop.example/assets/vendor.91ab23cd.js:2:1",
				"[native code]",
			),
			webpack: CHROME.replaceAll("https://cdn.shop.example/assets/", "webpack://shop/./src/"),
			"webpack, evaluated": CHROME.replaceAll("https://cdn.shop.example/assets/", "webpack-internal:///./src/"),
		},
		other: {
			"another function": CHROME.replace("at load", "at save"),
			"another bundle": CHROME.replace("main.", "admin."),
		},
	},
	python: {
		stack: PYTHON,
		culprit: "show (shop/views)",
		same: {
			lines: PYTHON.replaceAll(/line \d+/g, "line 1"),
			"another release": PYTHON.replaceAll("20240102", "20240909"),
			"another place": PYTHON.replaceAll("/srv/shop/releases/20240102/", "/app/"),
			"another Python": PYTHON.replace("python3.11", "python3.13").replace(/ {4}\^+\n/, ""),
			"another library below": PYTHON.replace("psycopg2/extras", "psycopg/cursor"),
			"another message": PYTHON.replace("page 1 failed", "page 2 failed").replace("10.0.0.5", "10.0.0.6"),
		},
		other: {
			"another function": PYTHON.replace("in show", "in edit"),
			"another function of the cause": PYTHON.replace("in query", "in insert"),
			"another type of the cause": PYTHON.replace("OperationalError", "DataError"),
			"no cause": PYTHON.slice(PYTHON.lastIndexOf("Traceback")),
		},
	},
	java: {
		stack: JAVA,
		culprit: "place (com.shop.OrderService)",
		same: {
			lines: JAVA.replaceAll(/:\d+\)/g, ":1)"),
			"generated classes of another run": JAVA.replace("a1b2c3d4", "99ffee00")
				.replace("Lambda$14/0x0000000800c03000", "Lambda/0x00007f1234567890")
				.replace("lambda$main$0", "lambda$main$3"),
			"more in common": JAVA.replace("... 12 more", "... 40 more"),
			"a module system": JAVA.replaceAll("at com.shop", "at app//com.shop"),
			"jars after the calls": JAVA.replaceAll(/\)$/gm, ") ~[shop-1.2.jar:1.2]"),
			"no suppressed ones": JAVA.replace(/\tSuppressed[\s\S]*?3 more\n/, ""),
			"another driver": JAVA.replace("com.mysql.cj.jdbc.ConnectionImpl.connect", "org.postgresql.Driver.connect"),
		},
		other: {
			"another method": JAVA.replace("OrderService.place", "OrderService.cancel"),
			"another method of the cause": JAVA.replace("Db.query", "Db.insert"),
			"another type of the cause": JAVA.replace("SQLException", "SQLTimeoutException"),
			"another class": JAVA.replaceAll("com.shop.OrderService", "com.shop.CartService"),
		},
	},
	go: {
		stack: GO,
		culprit: "(*Cart).Add (example.com/shop/cart)",
		same: {
			"lines and offsets": GO.replaceAll(/\.go:\d+( \+0x[0-9a-f]+)?/g, ".go:1 +0xff"),
			"addresses and goroutines": GO.replaceAll(/0x[0-9a-f]+/g, "0x1").replace("goroutine 18", "goroutine 4711"),
			"another number of a closure": GO.replace("func1", "func2.1"),
			"another folder": GO.replaceAll("/build/", "/home/ci/go/src/example.com/shop/"),
			"other goroutines": GO.slice(0, GO.indexOf("goroutine 1 [select]")),
		},
		other: {
			"another method": GO.replace("(*Cart).Add", "(*Cart).Remove"),
			"another package": GO.replaceAll("shop/cart.", "shop/basket."),
		},
	},
	ruby: {
		stack: RUBY,
		culprit: "save (user)",
		same: {
			lines: RUBY.replaceAll(/rb:\d+/g, "rb:1"),
			"another place": RUBY.replaceAll(/(app|lib)\/(models|controllers|db)/g, "/rails/$1/$2"),
			"another version of a library": RUBY.replace("rails-7.0.1", "rails-8.1.0").replaceAll("3.2.0", "3.4.0"),
			"Ruby 3.4": RUBY.replaceAll(/`(\w+)'/g, "'User#$1'").replace(
				"`block (2 levels) in create'",
				"'block in UsersController#create'",
			),
		},
		other: {
			"another method": RUBY.replaceAll("`save'", "`update'"),
			"another method of the cause": RUBY.replace("`query'", "`insert'"),
			"another type of the cause": RUBY.replace("PG::Error", "PG::Timeout"),
		},
	},
	php: {
		stack: PHP,
		culprit: "run (App\\Service)",
		same: {
			lines: PHP.replaceAll(/\(\d+\): /g, "(1): ").replaceAll(/php:\d+/g, "php:1"),
			"another folder": PHP.replaceAll("/var/www/app/", "/srv/shop-3/"),
			arguments: PHP.replace("'SELECT 1', Array", "'SELECT 2', Object(PDO)"),
		},
		other: {
			"another method": PHP.replace("Service->run", "Service->stop"),
			"another method of the cause": PHP.replace("Db->query", "Db->insert"),
			"another type of the cause": PHP.replace("PDOException", "LogicException"),
		},
	},
	".net": {
		stack: DOTNET,
		culprit: "AddAsync (Shop.Cart)",
		same: {
			lines: DOTNET.replaceAll(/line \d+/g, "line 1"),
			"without symbols": DOTNET.replaceAll(/ in C:\\.*$/gm, ""),
			"another folder": DOTNET.replaceAll("C:\\src\\", "/_/build/"),
			"numbers that the compiler gives": DOTNET.replace("d__5", "d__7").replace(
				"DisplayClass5_0.<Fill>b__1",
				"DisplayClass7_0.<Fill>b__2",
			),
			"another overload": DOTNET.replace("(String sql, List`1 args)", "(String sql)"),
		},
		other: {
			"another method": DOTNET.replace("<AddAsync>", "<RemoveAsync>"),
			"another method of the cause": DOTNET.replace("Db.Query", "Db.Insert"),
			"another type of the cause": DOTNET.replace("ArgumentNullException", "ArgumentException"),
		},
	},
	rust: {
		stack: RUST,
		culprit: "add (shop::cart::Cart)",
		same: {
			"lines and hashes": RUST.replaceAll(/rs:\d+:\d+/g, "rs:1:1").replace("0123456789abcdef", "fedcba9876543210"),
			"another compiler": RUST.replaceAll(
				"90b35a6239c3d8bdabc530a6a0816f7ff89a0aaf",
				"aa00000000000000000000000000000000000000",
			),
			"without places": RUST.replaceAll(/^ +at .*\n/gm, ""),
			addresses: RUST.replaceAll(/^( +\d: )/gm, "$10x55d0c0ffee00 - "),
			"a closure's number": RUST.replace("{{closure}}", "{closure#3}"),
		},
		other: {
			"another function": RUST.replace("Cart::add", "Cart::remove"),
			"another module": RUST.replace("shop::cart::", "shop::basket::"),
		},
	},
	"another language": {
		stack:
			"** (RuntimeError) boom\n    (shop 0.1.0) lib/shop/users.ex:12: Shop.Users.get/1\n    (stdlib 4.0) timer.erl:1: :timer.tc/1",
		culprit: "Shop.Users.get/ (users)",
		same: {
			"lines and versions":
				"** (RuntimeError) boom\n    (shop 0.2.0) lib/shop/users.ex:99: Shop.Users.get/1\n    (stdlib 4.1) timer.erl:2: :timer.tc/1",
		},
		other: {
			"another function":
				"** (RuntimeError) boom\n    (shop 0.1.0) lib/shop/users.ex:12: Shop.Users.put/1\n    (stdlib 4.0) timer.erl:1: :timer.tc/1",
		},
	},
};

describe.each(Object.entries(CASES))("traces of %s", (_, { stack, culprit, same, other }) => {
	test("are known by their top call", () => expect(fingerprint("E", "m", stack).culprit).toBe(culprit));

	test.each(Object.entries(same))("are the same issue with %s", (__, variant) => {
		expect(variant).not.toBe(stack);
		expect(of(variant)).toBe(of(stack));
	});

	test.each(Object.entries(other))("are another issue with %s", (__, variant) => {
		expect(variant).not.toBe(stack);
		expect(of(variant)).not.toBe(of(stack));
	});

	test("are another issue with another type", () => expect(of(stack, "F")).not.toBe(of(stack, "E")));
});

test("no two cases are the same issue", () => {
	const all = Object.values(CASES).map(({ stack }) => of(stack));
	expect(new Set(all).size).toBe(all.length);
});

test("the chain of causes is read, the outermost first", () => {
	const types = (stack: string) => parseStack(stack).map(({ type }) => type);
	expect(types(JAVA)).toEqual(["com.shop.OrderException", "java.sql.SQLException"]);
	expect(types(PYTHON)).toEqual(["shop.PageError", "psycopg2.OperationalError"]);
	expect(types(PHP)).toEqual(["RuntimeException", "PDOException"]);
	expect(types(RUBY)).toEqual(["RuntimeError", "PG::Error"]);
	expect(types(DOTNET)).toEqual(["System.InvalidOperationException", "System.ArgumentNullException"]);
	expect(parseStack(DOTNET).map(({ frames }) => frames.map((frame) => frame.function))).toEqual([
		["AddAsync", "Fill", "Execute"],
		["Query", "ToList"],
	]);
	expect(
		types("TypeError: a\n    at f (/x/a.js:1:1)\nCaused by: RangeError: b\n    at g (/x/b.js:1:1)\nCaused by: text"),
	).toEqual(["TypeError", "RangeError", "text"]);
	const group = text(
		"  + Exception Group Traceback (most recent call last):",
		'  |   File "/app/a.py", line 1, in f',
		"  | ExceptionGroup: many (2 sub-exceptions)",
		"  +-+---------------- 1 ----------------",
		"    | Traceback (most recent call last):",
		'    |   File "/app/b.py", line 1, in g',
		"    | ValueError: 1",
		"    +---------------- 2 ----------------",
		"    | KeyError: 2",
		"    +------------------------------------",
	);
	expect(types(group)).toEqual(["ExceptionGroup", "ValueError"]);
});

test("calls that repeat themselves count once, so that a recursion is one issue however deep", () => {
	const deep = (times: number) =>
		`E: deep\n${"    at walk (/app/tree.js:3:1)\n".repeat(times)}    at main (/app/run.js:1:1)`;
	expect(of(deep(3))).toBe(of(deep(900)));
});

test("a trace of libraries alone is known by their calls", () => {
	const stack = (name: string) =>
		`E: x\n    at ${name} (/app/node_modules/pg/client.js:1:1)\n    at emit (node:events:1:1)`;
	expect(of(stack("query"))).not.toBe(of(stack("connect")));
	expect(fingerprint("E", "m", stack("query")).culprit).toBe("query (pg/client)");
});

describe("without a trace", () => {
	const message = (text: string) => of("", "E", text);
	test.each([
		["User 123 not found", "User 9 not found"],
		["request req_1a2b3c4d5e6f7a8b failed", "request req_ffffffff00000000 failed"],
		["550e8400-e29b-41d4-a716-446655440000 is gone", "00000000-0000-4000-8000-000000000000 is gone"],
		["connect ECONNREFUSED 127.0.0.1:5432", "connect ECONNREFUSED 10.1.2.3:6379"],
		["connect ECONNREFUSED ::1:5432", "connect ECONNREFUSED fe80::1%eth0:1"],
		["GET https://a.example/x?y=1 failed", "GET https://b.example:8080/z failed"],
		["no mail to ann@example.com", "no mail to bob+x@mail.example.org"],
		["cannot open /var/lib/shop/a-17.tmp", "cannot open /tmp/b/c"],
		["at 2026-01-01T00:00:00Z", "at 2025-12-31 23:59:59.123+01:00"],
		["unexpected token 'a' in JSON at position 17", "unexpected token '}' in JSON at position 2"],
		["took 1.5 s of 2", "took 30 s of 7"],
		["commit 3f2a9c1 is bad", "commit 99aa00f is bad"],
		["pointer 0x7ffee4 freed", "pointer 0x1 freed"],
		["failed\nsecond line\nbody 1", "failed\nsecond line\nquite another body"],
	])("%j and %j are one issue", (one, other) => expect(message(one)).toBe(message(other)));

	test.each([
		["User not found", "Order not found"],
		["cannot read", "cannot write"],
		["don't stop, it's on", "don't start, it's off"],
	])("%j and %j are two", (one, other) => expect(message(one)).not.toBe(message(other)));

	test("a trace without calls is none", () => {
		expect(of("...", "E", "User 1")).toBe(of("", "E", "User 2"));
		expect(of("Error: at home (see below)", "E", "a")).not.toBe(of("Error: at home (see below)", "E", "b"));
	});
});

describe("whatever the numbers are", () => {
	const name = fc.stringMatching(/^[a-z]{3,8}$/);
	const line = fc.integer({ min: 1, max: 1e6 });
	const hex = fc.stringMatching(/^[0-9]{4}[0-9a-f]{4}$/);
	const frames = fc.array(fc.tuple(name, name), { minLength: 1, maxLength: 8 });
	const v8 = (calls: readonly (readonly [string, string])[], numbers: readonly number[], hash: string, port: number) =>
		`E: m\n${calls
			.map(
				([fn, file], i) =>
					`    at ${fn} (http://localhost:${port}/assets/${file}.${hash}.js:${numbers[i]}:${numbers[i]! + 1})`,
			)
			.join("\n")}`;
	const numbers = fc.array(line, { minLength: 8, maxLength: 8 });

	test("lines, columns, hashes and ports change no fingerprint", () => {
		fc.assert(
			fc.property(frames, numbers, numbers, hex, hex, line, line, (calls, a, b, h1, h2, p1, p2) => {
				expect(of(v8(calls, a, h1, p1))).toBe(of(v8(calls, b, h2, p2)));
			}),
			{ seed: 4, numRuns: 300 },
		);
	});

	test("another type, or another function among the top calls, always does", () => {
		fc.assert(
			fc.property(frames, numbers, hex, name, fc.nat(4), (calls, at, hash, other, place) => {
				const i = place % Math.min(calls.length, 5);
				const distinct = calls.filter(([fn, file], k) => `${fn}${file}` !== `${calls[k - 1]?.[0]}${calls[k - 1]?.[1]}`);
				fc.pre(
					distinct.length === calls.length &&
						!calls.some(([fn, file]) => fn === other || /^(vendors?|polyfills?)$/.test(file)),
				);
				const changed = calls.map(([fn, file], k) => [k === i ? other : fn, file] as const);
				expect(of(v8(changed, at, hash, 1))).not.toBe(of(v8(calls, at, hash, 1)));
				expect(of(v8(calls, at, hash, 1), "Other")).not.toBe(of(v8(calls, at, hash, 1)));
			}),
			{ seed: 5, numRuns: 300 },
		);
	});

	test("any text has a fingerprint, the same every time", () => {
		fc.assert(
			fc.property(fc.string({ unit: "binary", maxLength: 300 }), (stack) => {
				const found = fingerprint("E", stack, stack);
				expect(fingerprint("E", stack, stack)).toEqual(found);
				expect(found.culprit.length).toBeLessThanOrEqual(500);
			}),
			{ seed: 6, numRuns: 500 },
		);
	});
});

// One pattern that runs over its own beginning again would take minutes here, and the test would not end in time.
test.each(
	[
		...["@", "a@", "    at f (", "    at a.b(c", " ---> ", "\n ---> X: y", "Caused by: ", "\nCaused by: x", '  File "'],
		...[
			'  File "a", line 1, in f\n',
			"(",
			")",
			"'a",
			'"',
			"`",
			"0x",
			"a",
			"1",
			"1.",
			"1:",
			"a:",
			"::",
			"/a",
			"\\a",
			"-1",
		],
		...[
			"a-",
			".a",
			"a.b@c.",
			"http://",
			"#0 ",
			"#0 a(1): b\n",
			"\tx.go:1\n",
			"goroutine 1 [x]:\n",
			"f()\n\t/a/b.go:1\n",
		],
		...[
			"from a:1:in `b'\n",
			"x:1:in 'y",
			"   0: a::b\n",
			"0: <a as b>::c ",
			"<a as ",
			"{{closure}}",
			"$$",
			"\n",
			" ",
			"\t",
		],
		...[
			"    at A.B[[[[[[[[[[[[[[[[()\n",
			"    at a.<b>d__1",
			"  | ",
			"+-+-----",
			"Next ",
			"Traceback (most recent call last):\n",
		],
		...[
			"    at Foo.m(Foo.java:1)\n",
			"1:2:3:4:5:6:7:",
			"2026-01-01T",
			"Mon, 1 Jan ",
			"„",
			"«",
			"#0 x (package:",
			"\ud83d",
		],
		`    at f (/app/${"a-B1~".repeat(190)}.js:1:1)\n`,
		"    at f (/a/b-1-1-1-1-1-1-1-1@/index.js:1:1)\n",
		`    at ${"a.".repeat(400)}b (/x/y.js:1:2)\n`,
	].map((part) => [part.slice(0, 30), part]),
)("the largest trace of nothing but %j has a fingerprint", (_, part) => {
	const stack = part.repeat(Math.ceil(RECORD_LIMITS.documentBytes / part.length)).slice(0, RECORD_LIMITS.documentBytes);
	expect(of(stack, "E", stack)).toBe(of(stack, "E", stack));
	expect(of(`E: ${stack}`, "E", stack)).toMatch(/^\d+-\d+$/);
});
