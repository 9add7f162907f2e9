import type { Stream } from "./stream.js";

const FIRST_CAPACITY = 64;

/**
 * The streams of a link by their ids: open addressing with linear probing over one array, and deletion that moves what
 * follows back into the gap (Knuth, The Art of Computer Programming, volume 3, section 6.4, algorithm R). A `Map` drops
 * its table every so often while ids come and go; a dropped table that has grown old keeps the calls in it alive until
 * the next full collection, which cost a fifth of the time of a busy client.
 */
export class StreamTable {
  #slots: (Stream | undefined)[] = new Array(FIRST_CAPACITY).fill(undefined);
  #mask = FIRST_CAPACITY - 1;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(id: number): Stream | undefined {
    const slots = this.#slots;
    // Ids ascend by two, so that their low bits spread them well.
    for (let index = id & this.#mask; ; index = (index + 1) & this.#mask) {
      const stream = slots[index];
      if (stream === undefined || stream.id === id) return stream;
    }
  }

  has(id: number): boolean {
    return this.get(id) !== undefined;
  }

  /** Adds a stream whose id is not in the table. */
  add(stream: Stream): void {
    if ((this.#size + 1) * 2 > this.#slots.length) this.#grow();
    this.#place(stream);
    this.#size++;
  }

  /** Removes the stream; false where it is not in the table. */
  delete(stream: Stream): boolean {
    const slots = this.#slots;
    const mask = this.#mask;
    let gap = stream.id & mask;
    for (; slots[gap] !== stream; gap = (gap + 1) & mask) {
      if (slots[gap] === undefined) return false;
    }
    for (let index = (gap + 1) & mask; slots[index] !== undefined; index = (index + 1) & mask) {
      const home = slots[index]!.id & mask;
      // Whoever would be looked for at or before the gap moves into it.
      if (((index - home) & mask) >= ((index - gap) & mask)) {
        slots[gap] = slots[index];
        gap = index;
      }
    }
    slots[gap] = undefined;
    this.#size--;
    return true;
  }

  /** Every stream, in no order. */
  all(): Stream[] {
    return this.#slots.filter((stream) => stream !== undefined);
  }

  clear(): void {
    this.#slots.fill(undefined);
    this.#size = 0;
  }

  #place(stream: Stream): void {
    let index = stream.id & this.#mask;
    while (this.#slots[index] !== undefined) index = (index + 1) & this.#mask;
    this.#slots[index] = stream;
  }

  #grow(): void {
    const streams = this.all();
    this.#slots = new Array(this.#slots.length * 2).fill(undefined);
    this.#mask = this.#slots.length - 1;
    for (const stream of streams) this.#place(stream);
  }
}
