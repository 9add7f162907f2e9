/** Listeners by event name. */
export class Emitter<Events extends { [E in keyof Events]: (...args: never[]) => void }> {
  readonly #listeners = new Map<keyof Events, Set<{ readonly listener: Events[keyof Events] }>>();
  readonly #onListenerError: (error: unknown) => void;

  /** `onListenerError` is told what a listener throws: one listener's failure is not another's. */
  constructor(onListenerError: (error: unknown) => void) {
    this.#onListenerError = onListenerError;
  }

  /** Adds a listener; the function returned removes it. */
  on<E extends keyof Events>(event: E, listener: Events[E]): () => void {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners);
    // An entry of its own, so that a listener that is added twice is also removed twice.
    const entry = { listener };
    listeners.add(entry);
    return () => listeners.delete(entry);
  }

  /** Tells every listener; false where there is none. */
  emit<E extends keyof Events>(event: E, ...args: Parameters<Events[E]>): boolean {
    const listeners = this.#listeners.get(event);
    if (listeners === undefined || listeners.size === 0) return false;
    for (const { listener } of [...listeners]) {
      try {
        listener(...(args as never[]));
      } catch (error) {
        this.#onListenerError(error);
      }
    }
    return true;
  }
}
