/** Whether an address is one of the connectors of Teams that Microsoft takes away in favour of Workflows. */
export function isOldConnector(webhook_url: string): boolean {
	const { hostname } = new URL(webhook_url);
	const isOffice = hostname === "outlook.office.com" || hostname === "outlook.office365.com";
	return isOffice || hostname.endsWith(".webhook.office.com");
}
