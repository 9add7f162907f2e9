import type { FrameOutput } from "./frame-output.js";

/** The numbers under which we have announced methods on one link. */
export class MethodIds {
  readonly #ids = new Map<string, number>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The method's number, announced before; 0 where the peer takes no more; `undefined` where the link is full. */
  idOf(method: string, output: FrameOutput): number | undefined {
    const known = this.#ids.get(method);
    if (known !== undefined) return known;
    const id = this.#ids.size + 1;
    if (id > this.#limit) return 0;
    if (!output.method(id, method)) return undefined;
    this.#ids.set(method, id);
    return id;
  }
}
