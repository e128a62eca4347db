// XMLHttpRequest for Node, as far as Uppy uses it: a whole body up, progress told once it has gone, status and headers back.
// Node's fetch does the work.

type Upload = { onprogress?: (event: { loaded: number; total: number; lengthComputable: boolean }) => void };

export class XmlHttpRequest {
  status = 0;
  statusText = "";
  responseText = "";
  responseType = "";
  withCredentials = false;
  onload: (() => void) | undefined;
  onerror: (() => void) | undefined;
  readonly upload: Upload = {};
  #method = "GET";
  #url = "";
  #headers: Record<string, string> = {};
  #answer: Headers | undefined;
  readonly #abort = new AbortController();

  get response(): string {
    return this.responseText;
  }

  open(method: string, url: string): void {
    this.#method = method;
    this.#url = url;
  }

  setRequestHeader(name: string, value: string): void {
    this.#headers[name] = value;
  }

  getResponseHeader(name: string): string | null {
    return this.#answer?.get(name) ?? null;
  }

  abort(): void {
    this.#abort.abort();
  }

  send(body?: Blob | null): void {
    this.#send(body).then(
      () => this.onload?.(),
      () => this.#abort.signal.aborted || this.onerror?.(),
    );
  }

  async #send(body?: Blob | null): Promise<void> {
    const { signal } = this.#abort;
    const init = { method: this.#method, headers: this.#headers, body: body ?? null, signal };
    const answer = await fetch(this.#url, init);
    this.responseText = await answer.text();
    this.#answer = answer.headers;
    this.status = answer.status;
    this.statusText = answer.statusText;
    const total = body?.size ?? 0;
    this.upload.onprogress?.({ loaded: total, total, lengthComputable: true });
  }
}

/** Makes it the platform's own, for the rest of the process. */
export function install(): void {
  Object.assign(globalThis, { XMLHttpRequest: XmlHttpRequest });
}
