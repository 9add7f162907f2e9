import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { MessageQueue } from "../../runtime/message-queue.js";

function makeQueue<T>(): { readonly queue: MessageQueue<T>; readonly taken: number[]; abandoned: number } {
  const taken: number[] = [];
  const made = {
    queue: new MessageQueue<T>({
      onTaken: (bytes) => taken.push(bytes),
      onAbandoned: () => {
        made.abandoned++;
      },
    }),
    taken,
    abandoned: 0,
  };
  return made;
}

describe("MessageQueue", () => {
  it("gives what came before it was asked for, and tells when it is taken", async () => {
    const { queue, taken } = makeQueue<string>();
    queue.push("a", 1);
    queue.push("b", 2);
    expect(taken).toEqual([]);
    expect(await queue.next()).toEqual({ done: false, value: "a" });
    expect(taken).toEqual([1]);
    expect(await queue.next()).toEqual({ done: false, value: "b" });
    expect(taken).toEqual([1, 2]);
  });

  it("gives what comes after it was asked for, in the order of asking", async () => {
    const { queue, taken } = makeQueue<string>();
    const asked = [queue.next(), queue.next()];
    queue.push("a", 1);
    queue.push("b", 2);
    expect((await Promise.all(asked)).map(({ value }) => value)).toEqual(["a", "b"]);
    expect(taken).toEqual([1, 2]);
  });

  it("ends after its items, for everyone who asks", async () => {
    const { queue } = makeQueue<string>();
    queue.push("a", 1);
    queue.end();
    queue.push("late", 1);
    const results = [await queue.next(), await queue.next(), await queue.next()];
    expect(results.map(({ done }) => done)).toEqual([false, true, true]);
  });

  it("tells its error once, after its items", async () => {
    const { queue } = makeQueue<string>();
    queue.push("a", 1);
    queue.end(new Error("over"));
    queue.end(new Error("again"));
    expect((await queue.next()).value).toBe("a");
    await expect(queue.next()).rejects.toThrow("over");
    expect((await queue.next()).done).toBe(true);
  });

  it("can be asked without waiting", async () => {
    const { queue, taken } = makeQueue<string>();
    expect(queue.poll()).toBeUndefined();
    queue.push("a", 1);
    expect(queue.poll()).toEqual({ done: false, value: "a" });
    expect(taken).toEqual([1]);
    const asked = queue.next();
    expect(queue.isAwaited).toBe(true);
    queue.push("b", 2);
    expect(queue.poll()).toBeUndefined();
    expect((await asked).value).toBe("b");
    expect(queue.isAwaited).toBe(false);
    queue.push("c", 3);
    queue.end(new Error("over"));
    expect(queue.poll()?.value).toBe("c");
    expect(() => queue.poll()).toThrow("over");
    expect(queue.poll()).toEqual({ done: true, value: undefined });
  });

  it("rejects those who wait when it ends with an error", async () => {
    const { queue } = makeQueue<string>();
    const first = queue.next();
    const second = queue.next();
    queue.end(new Error("over"));
    await expect(first).rejects.toThrow("over");
    expect((await second).done).toBe(true);
  });

  it("forgets what is left when its reader gives up, and tells once", async () => {
    const made = makeQueue<string>();
    made.queue.push("a", 1);
    await made.queue.return();
    await made.queue.return();
    expect(made.abandoned).toBe(1);
    expect((await made.queue.next()).done).toBe(true);
    const ended = makeQueue<string>();
    ended.queue.end(new Error("over"));
    await ended.queue.return();
    expect(ended.abandoned).toBe(0);
    expect((await ended.queue.next()).done).toBe(true);
  });

  it("keeps no item that is taken, though it never becomes empty", async () => {
    setFlagsFromString("--expose_gc");
    const collectGarbage = runInNewContext("gc") as () => void;
    const { queue } = makeQueue<object>();
    const first = await (async () => {
      const item = {};
      queue.push(item, 1);
      for (let i = 0; i < 10; i++) queue.push({}, 1);
      await queue.next();
      return new WeakRef(item);
    })();
    for (let i = 0; i < 1_000; i++) {
      queue.push({}, 1);
      await queue.next();
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
    collectGarbage();
    expect(first.deref()).toBeUndefined();
  });

  describe("forEach", () => {
    it("queues what comes while the function runs, and goes on after it without recursion", async () => {
      const { queue, taken } = makeQueue<number>();
      const order: string[] = [];
      let depth = 0;
      let deepest = 0;
      let next = 1;
      const over = queue.forEach((item) => {
        deepest = Math.max(deepest, ++depth);
        order.push(`begin ${item}`);
        if (next < 20_000) queue.push(next++, 1);
        order.push(`end ${item}`);
        depth--;
      });
      queue.push(0, 1);
      queue.end();
      await over;
      expect(order).toEqual(
        Array.from({ length: 20_000 }, (_, item) => [`begin ${item}`, `end ${item}`]).flat(),
      );
      expect([deepest, taken.length]).toEqual([1, 20_000]);
    });

    it.each(["at once", "later"] as const)("keeps the order where taking brings more (%s)", async (when) => {
      const got: number[] = [];
      let next = 3;
      let depth = 0;
      let deepest = 0;
      const queue = new MessageQueue<number>({
        onTaken() {
          deepest = Math.max(deepest, ++depth);
          if (next < 20_000) queue.push(next++, 1);
          depth--;
        },
        onAbandoned() {},
      });
      const use = (item: number) => {
        got.push(item);
        if (item === 0) {
          queue.push(1, 1);
          queue.push(2, 1);
        }
        return when === "later" && item % 1_000 === 0 ? Promise.resolve() : undefined;
      };
      const over = queue.forEach(use);
      queue.push(0, 1);
      for (let turn = 0; turn < 100; turn++) await undefined;
      queue.end();
      await over;
      expect(got).toEqual(Array.from({ length: 20_000 }, (_, item) => item));
      // Many within each other would fill the stack.
      expect(deepest).toBe(1);
    });

    it("throws nothing at whoever pushes, whatever the function returns", async () => {
      const made = makeQueue<string>();
      const failure = new Error("no promise");
      const fail = () => {
        throw failure;
      };
      const use = () => new Proxy({}, { has: fail, get: fail });
      const over = made.queue.forEach(use);
      const rejected = expect(over).rejects.toBe(failure);
      expect(() => made.queue.push("a", 1)).not.toThrow();
      await rejected;
      expect(made.abandoned).toBe(1);
    });

    it("lets nobody else take what waits for the function", async () => {
      const { queue } = makeQueue<string>();
      const got: string[] = [];
      let goOn = (): void => {};
      const use = (item: string) => {
        got.push(item);
        return new Promise<void>((resolve) => {
          goOn = resolve;
        });
      };
      const over = queue.forEach(use);
      queue.push("a", 1);
      queue.push("b", 1);
      await expect(queue.next()).rejects.toMatchObject({ code: "FAILED_PRECONDITION" });
      await expect(queue.forEach(use)).rejects.toMatchObject({ code: "FAILED_PRECONDITION" });
      expect(() => queue.poll()).toThrow(/reads already/);
      goOn();
      await new Promise((resolve) => setTimeout(resolve, 1));
      expect(got).toEqual(["a", "b"]);
      goOn();
      queue.end();
      await over;
    });
  });
});
