// A `MediaRecorder` by hand.

/** An encoder as browsers have it, whose pieces come by hand. */
export class FakeRecorder extends EventTarget {
  state = "inactive";
  mimeType = "video/webm;codecs=vp8,opus";
  readonly given: Uint8Array[] = [];

  start(): void {
    this.state = "recording";
  }

  pause(): void {
    this.state = "paused";
  }

  resume(): void {
    this.state = "recording";
  }

  requestData(): void {}

  give(sizeBytes: number): void {
    const bytes = new Uint8Array(sizeBytes).fill(this.given.length + 1);
    this.given.push(bytes);
    // Read at once: no time passes meanwhile.
    const data = { arrayBuffer: async () => bytes.slice().buffer };
    this.dispatchEvent(Object.assign(new Event("dataavailable"), { data }));
  }

  stop(): void {
    this.state = "inactive";
    this.give(10);
    this.dispatchEvent(new Event("stop"));
  }

  fail(error: Error): void {
    this.dispatchEvent(Object.assign(new Event("error"), { error }));
    this.stop();
  }

  get bytes(): Buffer {
    return Buffer.concat(this.given);
  }
}
