export * from "../../schema/report-document.ts";
