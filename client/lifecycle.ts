// The two ways in which there is nothing more to come: Node's event loop has run dry, or a browser's page goes away.

interface Page {
	document?: {
		visibilityState: string;
		addEventListener(type: string, listener: () => void): void;
		removeEventListener(type: string, listener: () => void): void;
	};
	process?: { on?(event: string, listener: () => void): void; off?(event: string, listener: () => void): void };
}

const { document, process } = globalThis as unknown as Page;

export const inBrowser = document !== undefined;

/**
 * Calls `flush` when the end is near; it may be called more than once.
 *
 * @returns what stops it
 */
export function endOfProcess(flush: () => void): () => void {
	if (document) {
		// The last event that phones are sure to fire; `unload` is not.
		const hidden = () => document.visibilityState === "hidden" && flush();
		document.addEventListener("visibilitychange", hidden);
		return () => document.removeEventListener("visibilitychange", hidden);
	}
	process?.on?.("beforeExit", flush);
	return () => process?.off?.("beforeExit", flush);
}
