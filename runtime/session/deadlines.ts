/** Something that expires. `heapIndex` is the queue's own. */
export interface Expiring {
  readonly deadlineMs: number;
  heapIndex: number;
}

/** What expires next: a binary heap in which every item knows its place, so that the settled leave at once. */
export class Deadlines<T extends Expiring> {
  readonly #heap: T[] = [];

  /** The item that expires first. */
  get first(): T | undefined {
    return this.#heap[0];
  }

  add(item: T): void {
    item.heapIndex = this.#heap.length;
    this.#heap.push(item);
    this.#up(item.heapIndex);
  }

  /** Removes the item if it is in the queue. */
  remove(item: T): void {
    const index = item.heapIndex;
    if (index < 0) return;
    item.heapIndex = -1;
    const last = this.#heap.pop()!;
    if (last === item) return;
    this.#heap[index] = last;
    last.heapIndex = index;
    this.#up(index);
    this.#down(last.heapIndex);
  }

  #up(index: number): void {
    const heap = this.#heap;
    const item = heap[index]!;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = heap[parentIndex]!;
      if (parent.deadlineMs <= item.deadlineMs) break;
      heap[index] = parent;
      parent.heapIndex = index;
      index = parentIndex;
    }
    heap[index] = item;
    item.heapIndex = index;
  }

  #down(index: number): void {
    const heap = this.#heap;
    const item = heap[index]!;
    for (;;) {
      let childIndex = index * 2 + 1;
      if (childIndex >= heap.length) break;
      const right = heap[childIndex + 1];
      if (right !== undefined && right.deadlineMs < heap[childIndex]!.deadlineMs) childIndex++;
      const child = heap[childIndex]!;
      if (item.deadlineMs <= child.deadlineMs) break;
      heap[index] = child;
      child.heapIndex = index;
      index = childIndex;
    }
    heap[index] = item;
    item.heapIndex = index;
  }
}
