// Which span is running: what is measured inside of it stands below it.
import type { Profile } from "./profile.ts";

interface RunningSpan {
	readonly profile: Profile;
	readonly name: string;
}

interface SpanContext {
	get(): RunningSpan | undefined;
	run<T>(span: RunningSpan, fn: () => T): T;
}

interface Storage {
	getStore(): RunningSpan | undefined;
	run<T>(span: RunningSpan, fn: () => T): T;
}

interface NodeProcess {
	getBuiltinModule?(name: string): { AsyncLocalStorage?: new () => Storage } | undefined;
}

export const currentSpan: SpanContext = asyncContext() ?? syncContext();

/** Follows a function across its awaits, where the runtime can: not an import, which browsers could not resolve. */
function asyncContext(): SpanContext | undefined {
	const { process } = globalThis as { process?: NodeProcess };
	const AsyncLocalStorage = process?.getBuiltinModule?.("node:async_hooks")?.AsyncLocalStorage;
	if (!AsyncLocalStorage) return undefined;
	const storage = new AsyncLocalStorage();
	return { get: () => storage.getStore(), run: (span, fn) => storage.run(span, fn) };
}

function syncContext(): SpanContext {
	let running: RunningSpan | undefined;
	return {
		get: () => running,
		run(span, fn) {
			const before = running;
			running = span;
			try {
				return fn();
			} finally {
				running = before;
			}
		},
	};
}
