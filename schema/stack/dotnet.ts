/** C#, F#, Visual Basic. */
import type { Frame } from "./types.ts";

const LIBRARY =
	/^(?:System|Microsoft|Windows|MS|Newtonsoft|Npgsql|MySql|MySqlConnector|Oracle|Dapper|StackExchange|RabbitMQ|MassTransit|MediatR|AutoMapper|FluentValidation|Polly|Quartz|Hangfire|Serilog|NLog|Grpc|Google|Amazon|Azure|Castle|Autofac|NHibernate|Xunit|NUnit|Moq|lambda_method|UnityEngine)\b/;

/** `Shop.Cart.Add(Item item) in C:\src\Cart.cs:line 12`; undefined when it is not of .NET. */
export function dotnetFrame(call: string): Frame | undefined {
	const open = call.indexOf("(");
	const close = call.indexOf(")", open);
	if (open < 1 || close === -1 || /[\s/]/.test(call[open - 1]!)) return undefined;
	const after = call.slice(close + 1);
	if (after !== "" && !/^\S* in |^\)/.test(after)) return undefined;
	const name = call
		.slice(0, open)
		// What the compiler makes of an async method, an iterator, a lambda and a local function.
		.replace(/\.<(\w{1,200})>d(?:__\d{1,9})?\.MoveNext$/, ".$1")
		.replace(/(?:\.<>c(?:__DisplayClass[\d_]{1,20})?)?\.<(\w{1,200})>[bg]__\w{0,200}(?:\|[\d_]{1,20})?$/, ".$1")
		.replace(/`\d{1,3}/g, "")
		// Of generic arguments inside out: [[System.Int32]].
		.replace(/\[[^[\]]{0,200}\]/g, "")
		.replace(/\[[^[\]]{0,200}\]/g, "");
	const dot = name.lastIndexOf(".");
	if (dot < 1 && name !== "lambda_method") return undefined;
	return {
		module: name.slice(0, Math.max(0, dot)).replace(/\.$/, ""),
		function: name.slice(dot + 1),
		inApp: !LIBRARY.test(name),
	};
}
