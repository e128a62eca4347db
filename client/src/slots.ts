// Room for so many at once; the others wait in the order in which they came.

export class Slots {
  readonly #size: number;
  readonly #holders = new Set<object>();
  readonly #waiting = new Map<object, () => void>();

  constructor(size: number) {
    this.#size = size;
  }

  /** Calls `begin` as soon as there is room: at once, or later. Once, however often it is asked. */
  acquire(holder: object, begin: () => void): void {
    if (!this.#holders.has(holder)) {
      this.#waiting.set(holder, begin);
      this.#fill();
    }
  }

  /** Gives the slot back, or waits for it no longer. */
  release(holder: object): void {
    this.#waiting.delete(holder);
    this.#holders.delete(holder);
    this.#fill();
  }

  #fill(): void {
    for (const [holder, begin] of this.#waiting) {
      if (this.#holders.size >= this.#size) {
        return;
      }
      this.#waiting.delete(holder);
      this.#holders.add(holder);
      begin();
    }
  }
}
