// Room for so many at once; the others wait in the order in which they came. What is small takes less room.

export class Slots {
  readonly #room: number;
  /** How much room each takes. */
  readonly #holders = new Map<object, number>();
  readonly #waiting = new Map<object, { readonly begin: () => void; readonly weight: number }>();
  #taken = 0;

  constructor(room: number) {
    this.#room = room;
  }

  /** Calls `begin` as soon as there is room: at once, or later. Once, however often it is asked. */
  acquire(holder: object, begin: () => void, weight = 1): void {
    if (!this.#holders.has(holder)) {
      this.#waiting.set(holder, { begin, weight });
      this.#fill();
    }
  }

  /** Gives the room back, or waits for it no longer. */
  release(holder: object): void {
    this.#waiting.delete(holder);
    this.#taken -= this.#holders.get(holder) ?? 0;
    this.#holders.delete(holder);
    this.#fill();
  }

  #fill(): void {
    for (const [holder, { begin, weight }] of this.#waiting) {
      // Whoever is alone has room, however large.
      if (this.#holders.size > 0 && this.#taken + weight > this.#room) {
        return;
      }
      this.#waiting.delete(holder);
      this.#holders.set(holder, weight);
      this.#taken += weight;
      begin();
    }
  }
}
