import type { EndpointChange, EndpointChanges } from "./api.js";
import { abortError } from "./client-call.js";
import type { FoundEndpoint } from "./names.js";
import type { Registry } from "./registry.js";

/** Reads the endpoints of the domain as they come and go. What is not read yet of one endpoint is told as one change. */
export class RegistryChanges implements EndpointChanges, AsyncIterator<EndpointChange, undefined> {
  readonly #self: string;
  readonly #signal: AbortSignal | undefined;
  readonly #leave: () => void;
  readonly #onDone: () => void;
  /** By incarnation, in the order in which they began to wait. */
  readonly #waiting = new Map<string, EndpointChange>();
  #readers: {
    readonly resolve: (result: IteratorResult<EndpointChange, undefined>) => void;
    readonly reject: (error: unknown) => void;
  }[] = [];
  #end: { readonly error: unknown } | "well" | undefined;
  readonly #onAbort = (): void => this.end({ error: abortError(this.#signal!) });

  /** Leaves out the endpoint of the incarnation `self`. */
  constructor(registry: Registry, self: string, signal: AbortSignal | undefined, onDone: () => void) {
    this.#self = self;
    this.#signal = signal;
    this.#onDone = onDone;
    this.#leave = registry.follow({
      onFound: (endpoint) => this.#push("appeared", endpoint),
      onChanged: (endpoint) => this.#push("changed", endpoint),
      onGone: (endpoint) => this.#push("gone", endpoint),
    });
    if (signal?.aborted === true) this.#onAbort();
    else signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  next(): Promise<IteratorResult<EndpointChange, undefined>> {
    for (const [incarnation, change] of this.#waiting) {
      this.#waiting.delete(incarnation);
      return Promise.resolve({ done: false, value: change });
    }
    if (this.#end === undefined) {
      return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }));
    }
    if (this.#end === "well") return Promise.resolve({ done: true, value: undefined });
    const { error } = this.#end;
    this.#end = "well";
    return Promise.reject(error);
  }

  async return(): Promise<IteratorResult<EndpointChange, undefined>> {
    this.end("well");
    this.#waiting.clear();
    return { done: true, value: undefined };
  }

  /** Ends the loop after what waits was read. */
  end(how: { readonly error: unknown } | "well"): void {
    if (this.#end !== undefined) return;
    this.#leave();
    this.#signal?.removeEventListener("abort", this.#onAbort);
    const readers = this.#readers;
    this.#readers = [];
    // The first that asks is told of the error, and that once.
    this.#end = how !== "well" && readers.length === 0 ? how : "well";
    for (const [index, reader] of readers.entries()) {
      if (how !== "well" && index === 0) reader.reject(how.error);
      else reader.resolve({ done: true, value: undefined });
    }
    this.#onDone();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  #push(kind: EndpointChange["kind"], endpoint: FoundEndpoint): void {
    if (endpoint.incarnation === this.#self) return;
    const waiting = this.#waiting.get(endpoint.incarnation)?.kind;
    if (waiting === "appeared") {
      // Nobody has heard of it yet: nor of its end.
      this.#waiting.delete(endpoint.incarnation);
      if (kind === "gone") return;
      this.#waiting.set(endpoint.incarnation, { kind: "appeared", endpoint });
      return;
    }
    const reader = this.#readers.shift();
    if (reader !== undefined) reader.resolve({ done: false, value: { kind, endpoint } });
    else this.#waiting.set(endpoint.incarnation, { kind, endpoint });
  }
}
