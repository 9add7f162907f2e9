import { writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { describe, expect, it } from "vitest";
import { type ShmOptions, shmTransport } from "../../transports/shm/index.js";
import { send, until } from "../conformance/transport/recorder.js";
import { LIMITS } from "../conformance/transport/suite.js";
import { nativeThings } from "../harness/native-things.js";
import { HAS_SHM, links, newPlace, start, started } from "./shm-stage.js";

describe.runIf(HAS_SHM)("dialling shared memory", () => {
  it("does not wait for ever for a process that is stopped, and may be given up before", async () => {
    const place = await newPlace();
    const child = await start("shm-echo", [place.path]);
    child.process.kill("SIGSTOP");
    const before = nativeThings();
    await expect(
      shmTransport().dial(place, { ...LIMITS, frameTimeoutMs: 100 }, undefined),
    ).rejects.toMatchObject({
      kind: "unavailable",
      message: expect.stringContaining("did not answer within the limit of 100 ms (frameTimeoutMs)"),
    });
    const reason = new Error("no longer");
    const signal = AbortSignal.timeout(50);
    await expect(shmTransport().dial(place, LIMITS, signal)).rejects.toMatchObject({ kind: "unavailable" });
    const controller = new AbortController();
    setTimeout(() => controller.abort(reason), 30);
    await expect(shmTransport().dial(place, LIMITS, controller.signal)).rejects.toMatchObject({
      cause: reason,
    });
    expect(nativeThings()).toEqual(before);
    child.process.kill("SIGCONT");
    const { link, got } = started(await shmTransport().dial(place, LIMITS, undefined));
    send(link, Uint8Array.of(1));
    await until("an echo", () => got.records.length === 1);
    let answer = await child.ask("links");
    // Those that were given up are told of before.
    while ("closed" in answer) answer = await child.next();
    expect(answer).toEqual({ links: 1 });
  });

  it("says what else is there: a socket of another kind, no socket, nothing", async () => {
    const place = await newPlace();
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(place.path, resolve));
    await expect(shmTransport().dial(place, LIMITS, undefined)).rejects.toMatchObject({
      name: "TransportError",
      message: expect.stringContaining(place.path),
    });
    await expect(shmTransport().listen(place, LIMITS, () => {})).rejects.toMatchObject({ kind: "inUse" });
    await new Promise((resolve) => server.close(resolve));
    await expect(shmTransport().dial(place, LIMITS, undefined)).rejects.toMatchObject({ kind: "notFound" });
    await writeFile(place.path, "precious");
    await expect(shmTransport().dial(place, LIMITS, undefined)).rejects.toMatchObject({ kind: "denied" });
    await expect(shmTransport().listen(place, LIMITS, () => {})).rejects.toMatchObject({ kind: "denied" });
  });

  it("is asked again while a listener is busy", async () => {
    const place = await newPlace();
    const child = await start("shm-echo", [place.path]);
    child.process.kill("SIGSTOP");
    const dials = Array.from({ length: 300 }, () => shmTransport().dial(place, LIMITS, undefined));
    await new Promise((resolve) => setTimeout(resolve, 100));
    child.process.kill("SIGCONT");
    for (const link of await Promise.all(dials)) links.push(link);
    expect(links.length).toBe(300);
    let there: unknown;
    while (there !== 300) ({ links: there } = await child.ask("links"));
  });

  it("takes no way to wait that there is not", () => {
    const options = { waiting: "often" } as unknown as ShmOptions;
    expect(() => shmTransport(options)).toThrow(
      new TypeError('waiting is "often"; it must be one of: adaptive, event, spin'),
    );
  });
});
