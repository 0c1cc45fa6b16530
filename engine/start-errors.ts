/** Why the engine could not be started; each message is one line that can be shown as it is. */

export class EngineStartError extends Error {
	override readonly name: string = "EngineStartError";

	constructor(message: string, cause?: unknown) {
		super(message, { cause });
	}
}

export class DataFolderInUseError extends EngineStartError {
	override readonly name = "DataFolderInUseError";

	constructor(dataDir: string) {
		super(`the data folder ${dataDir} is in use by another process`);
	}
}

/** The folder cannot be written: missing rights, a read-only or a full disk. */
export class DataFolderError extends EngineStartError {
	override readonly name = "DataFolderError";

	constructor(dataDir: string, reason: string) {
		super(`the data folder ${dataDir} cannot be written: ${reason}`);
	}
}

export class PortInUseError extends EngineStartError {
	override readonly name = "PortInUseError";

	constructor(port: number) {
		super(`port ${port} is in use by another process`);
	}
}
