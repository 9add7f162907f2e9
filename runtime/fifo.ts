/** Places are made when the first item comes. */
const FIRST_PLACES = 16;
/** After a rush, an empty queue keeps no more places than this. */
const MOST_KEPT_PLACES = 4_096;

/** A queue in a ring of places: none is made or moved while it is as long as it was before. */
export class Fifo<T> {
  /** As many as a power of two, or none. */
  #places: (T | undefined)[] = [];
  #head = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(item: T): void {
    if (this.#length === this.#places.length) this.#grow();
    const places = this.#places;
    places[(this.#head + this.#length) & (places.length - 1)] = item;
    this.#length++;
  }

  peek(): T | undefined {
    return this.#length === 0 ? undefined : this.#places[this.#head];
  }

  /** Takes the oldest; `undefined` where there is none. */
  shift(): T | undefined {
    if (this.#length === 0) return undefined;
    const places = this.#places;
    const head = this.#head;
    const item = places[head];
    // What is taken must not live as long as the queue.
    places[head] = undefined;
    this.#head = (head + 1) & (places.length - 1);
    if (--this.#length === 0 && places.length > MOST_KEPT_PLACES) this.clear();
    return item;
  }

  clear(): void {
    this.#places = [];
    this.#head = 0;
    this.#length = 0;
  }

  #grow(): void {
    const places = this.#places;
    const grown = new Array<T | undefined>(Math.max(FIRST_PLACES, places.length * 2)).fill(undefined);
    for (let i = 0; i < this.#length; i++) grown[i] = places[(this.#head + i) & (places.length - 1)];
    this.#places = grown;
    this.#head = 0;
  }
}
