// Records that wait to be sent: first in, first out, bounded; the oldest give way, since the newest say how things are now.

export interface QueuedLine {
	/** Counts up by one for each record. */
	seq: number;
	/** JSON text of one line of the batch, without the newline. */
	line: string;
}

export class LineQueue {
	#lines: QueuedLine[] = [];
	#head = 0;
	#chars = 0;

	get length(): number {
		return this.#lines.length - this.#head;
	}

	/** UTF-16 units of all lines, which is about what they take in memory. */
	get chars(): number {
		return this.#chars;
	}

	get first(): QueuedLine | undefined {
		return this.#lines[this.#head];
	}

	push(line: QueuedLine): void {
		this.#lines.push(line);
		this.#chars += line.line.length;
	}

	/** Puts lines back that were taken last. */
	unshift(lines: QueuedLine[]): void {
		this.#lines = [...lines, ...this.#lines.slice(this.#head)];
		this.#head = 0;
		for (const { line } of lines) this.#chars += line.length;
	}

	shift(): QueuedLine | undefined {
		const first = this.first;
		if (!first) return undefined;
		this.#chars -= first.line.length;
		this.#head++;
		// Moving the rest down now and then costs less than Array.shift, which moves it every time.
		if (this.#head > 1024 && this.#head * 2 > this.#lines.length) {
			this.#lines = this.#lines.slice(this.#head);
			this.#head = 0;
		}
		return first;
	}

	/** Takes lines from the front while they fit; always at least one when there is one. */
	take(maxRecords: number, maxChars: number): QueuedLine[] {
		const taken: QueuedLine[] = [];
		let chars = 0;
		while (this.first && taken.length < maxRecords) {
			chars += this.first.line.length + 1;
			if (taken.length > 0 && chars > maxChars) break;
			taken.push(this.shift()!);
		}
		return taken;
	}
}
