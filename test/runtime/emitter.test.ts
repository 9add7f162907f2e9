import { expect, it } from "vitest";
import { Emitter } from "../../runtime/emitter.js";

interface Events {
  ping: (text: string) => void;
  pong: () => void;
}

it("tells every listener of the event, and whether there was one", () => {
  const emitter = new Emitter<Events>(() => undefined);
  const heard: string[] = [];
  expect(emitter.emit("ping", "nobody")).toBe(false);
  const stop = emitter.on("ping", (text) => heard.push(`1 ${text}`));
  emitter.on("ping", (text) => heard.push(`2 ${text}`));
  expect(emitter.emit("ping", "a")).toBe(true);
  expect(emitter.emit("pong")).toBe(false);
  stop();
  stop();
  emitter.emit("ping", "b");
  expect(heard).toEqual(["1 a", "2 a", "2 b"]);
});

it("tells the rest though one fails, and says what it threw", () => {
  const errors: unknown[] = [];
  const emitter = new Emitter<Events>((error) => errors.push(error));
  const thrown = new Error("no");
  let heard = 0;
  emitter.on("pong", () => {
    throw thrown;
  });
  emitter.on("pong", () => heard++);
  expect(emitter.emit("pong")).toBe(true);
  expect(heard).toBe(1);
  expect(errors).toEqual([thrown]);
});

it("tells a listener that was there when the event came, and not one that was added by another", () => {
  const emitter = new Emitter<Events>(() => undefined);
  const heard: string[] = [];
  emitter.on("pong", () => {
    stopSecond();
    emitter.on("pong", () => heard.push("added"));
  });
  const stopSecond = emitter.on("pong", () => heard.push("second"));
  emitter.emit("pong");
  expect(heard).toEqual(["second"]);
});

it("counts a listener that is added twice as two", () => {
  const emitter = new Emitter<Events>(() => undefined);
  let heard = 0;
  const listener = () => heard++;
  const stop = emitter.on("pong", listener);
  emitter.on("pong", listener);
  emitter.emit("pong");
  expect(heard).toBe(2);
  stop();
  emitter.emit("pong");
  expect(heard).toBe(3);
});
