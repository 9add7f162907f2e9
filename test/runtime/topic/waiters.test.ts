import { describe, expect, it } from "vitest";
import { nodeHost } from "../../../platform/node-host.js";
import { IpcError } from "../../../runtime/error.js";
import { Waiters } from "../../../runtime/topic/waiters.js";
import { failureOf } from "../../harness/failure.js";

const FOREVER = { signal: undefined, timeoutMs: undefined, timeoutText: undefined };

describe("Waiters", () => {
  it("resolve at once where the condition holds, and later when it does", async () => {
    const waiters = new Waiters(nodeHost());
    expect(await waiters.until(() => true, FOREVER)).toBe("met");
    let value = 0;
    const order: string[] = [];
    const waiting = [
      waiters.until(() => value >= 2, FOREVER).then(() => order.push("two")),
      waiters.until(() => value >= 1, FOREVER).then(() => order.push("one")),
    ];
    value = 1;
    waiters.check();
    await waiting[1];
    expect(order).toEqual(["one"]);
    value = 2;
    waiters.check();
    await waiting[0];
    expect(order).toEqual(["one", "two"]);
  });

  it("wait no longer than they may, and say what they waited for", async () => {
    const waiters = new Waiters(nodeHost());
    expect(await waiters.until(() => false, { ...FOREVER, timeoutMs: 5 })).toBe("timeout");
    const failure = await failureOf(
      waiters.until(() => false, { ...FOREVER, timeoutMs: 5, timeoutText: () => "nothing came" }),
    );
    expect(failure).toMatchObject({ code: "DEADLINE_EXCEEDED", rawMessage: "nothing came after 5 ms" });
    const met = waiters.until(() => true, { ...FOREVER, timeoutMs: 0 });
    expect(await met).toBe("met");
  });

  it("stop for their signal, before and while they wait", async () => {
    const waiters = new Waiters(nodeHost());
    const aborted = waiters.until(() => true, { ...FOREVER, signal: AbortSignal.abort() });
    expect((await failureOf(aborted)).code).toBe("CANCELLED");
    const controller = new AbortController();
    const waiting = failureOf(waiters.until(() => false, { ...FOREVER, signal: controller.signal }));
    controller.abort();
    expect((await waiting).code).toBe("CANCELLED");
  });

  it("all fail together", async () => {
    const waiters = new Waiters(nodeHost());
    const waiting = [1, 2].map(() => failureOf(waiters.until(() => false, FOREVER)));
    waiters.fail(new IpcError("CANCELLED", "closed"));
    for (const failure of await Promise.all(waiting)) expect(failure.rawMessage).toBe("closed");
    waiters.check();
  });
});
