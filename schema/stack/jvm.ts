/** Java, Kotlin, Scala. */
import type { Frame } from "./types.ts";

const LIBRARY =
	/^(?:java|javax|jdk|sun|com\.sun|jakarta|kotlin|kotlinx|scala|groovy|clojure|akka|android|androidx|com\.android|dalvik|com\.google\.(?:android|common|inject|gson)|com\.fasterxml|com\.mysql|com\.zaxxer|com\.microsoft|feign|io\.(?:netty|opentelemetry|micrometer|vertx|grpc|ktor|reactivex|projectreactor|sentry|undertow|micronaut|quarkus)|net\.sf|okhttp3|okio|retrofit2|oauth|oracle|org\.(?:apache|aspectj|codehaus|eclipse|glassfish|hibernate|jboss|jetbrains|junit|mockito|mongodb|mybatis|postgresql|reactivestreams|slf4j|springframework|testng|xml)|reactor|redis\.clients|rx)\./;
const SOURCE =
	/^(?:[\w$-]{1,100}\.(?:java|kts?|scala|groovy|clj)(?::\d{1,10})?|[\w$-]{1,100}(?:\.\w{1,10})?:\d{1,10}|Native Method|Unknown Source|SourceFile|<generated>|<unknown>|D8\$\$SyntheticClass)$/;

/** `com.shop.Cart.add(Cart.java:12)`, with what loggers put after it taken off; undefined when it is not of the JVM. */
export function jvmFrame(call: string): Frame | undefined {
	const open = call.indexOf("(");
	const close = call.indexOf(")", open);
	if (open < 1 || close === -1 || !SOURCE.test(call.slice(open + 1, close))) return undefined;
	// app//com.shop.Cart, java.base@21/java.util.List; a generated class has a slash of its own after the $$.
	const written = call.slice(0, open);
	const generated = written.indexOf("$$");
	const prefix = written.lastIndexOf("/", generated === -1 ? written.length : generated);
	const dot = written.lastIndexOf(".");
	if (dot <= prefix) return undefined;
	const whole = written.slice(prefix + 1, dot);
	const cut = whole.indexOf("$$");
	const module = (cut === -1 ? whole : whole.slice(0, cut)).replace(/_$/, "");
	const isGenerated = /\$\$(?:Lambda|FastClass)/.test(whole) || /(?:Proxy|Accessor)\d+$/.test(whole);
	return { module, function: written.slice(dot + 1), inApp: !isGenerated && !LIBRARY.test(`${module}.`) };
}
