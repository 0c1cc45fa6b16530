// Logs as they come in, filtered on the server.
import { Client } from "tidemark";

// TIDEMARK_KEY is a key of the project; TIDEMARK_URL is only needed when it is not http://127.0.0.1:8000.
const client = new Client({ apiKey: process.env.TIDEMARK_KEY, baseUrl: process.env.TIDEMARK_URL });

const logStream = client.monitoring.logStream({
	filters: ["level:ERROR", "level:WARN"],
	components: ["api", "inference", "p2p"],
});

// Something to see.
client.monitoring.log({ message: "Peer 12 does not answer", level: "warning", component: "p2p" });

// The latest lines come first, then each new one. Leaving the loop ends the stream.
for await (const { timestamp, level, component, message } of logStream) {
	console.log(timestamp, level, component, message);
	if (message === "Peer 12 does not answer") break;
}
