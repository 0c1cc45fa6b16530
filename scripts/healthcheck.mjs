// The container's health check; the slim image has neither curl nor wget.
const port = process.env.PORT || 8000;
try {
	const answer = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(4000) });
	process.exitCode = answer.ok ? 0 : 1;
} catch (error) {
	console.error(error.cause?.message ?? error.message);
	process.exitCode = 1;
}
