// Errors of one kind are an issue: which there are, what caused the latest, and that somebody took care of it.
import { Client } from "tidemark";

// TIDEMARK_KEY is a key of the project; TIDEMARK_URL is only needed when it is not http://127.0.0.1:8000.
const client = new Client({ apiKey: process.env.TIDEMARK_KEY, baseUrl: process.env.TIDEMARK_URL });

const { issues, total_issues } = await client.monitoring.issues({
	timeframe: "7d",
	status: ["open", "regressed"],
	limit: 5,
});
console.log(`${total_issues} issues to take care of`);
for (const { title, status, count, affected_users, first_seen } of issues) {
	console.log(`  ${status} since ${first_seen}: ${title}, ${count} times, ${affected_users} users`);
}

if (issues.length > 0) {
	const { issue_id } = issues[0];
	const { chain, culprit } = await client.monitoring.issue(issue_id, { timeframe: "7d" });
	console.log(`${culprit}: ${chain.map(({ type, message }) => `${type}: ${message}`).join(", caused by ")}`);
	const { status } = await client.monitoring.updateIssue(issue_id, { status: "resolved", note: "fixed in 1.2" });
	console.log(`${issue_id} is ${status}; the next error of it makes it regressed`);
}
