import fc from "fast-check";
import { expect, it } from "vitest";
import { Fifo } from "../../runtime/fifo.js";

it("is a queue", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.nat(), fc.constant(undefined)), { maxLength: 500 }), (steps) => {
      const fifo = new Fifo<number>();
      const model: number[] = [];
      for (const item of steps) {
        if (item === undefined) {
          expect(fifo.shift()).toBe(model.shift());
        } else {
          fifo.push(item);
          model.push(item);
        }
        expect(fifo.length).toBe(model.length);
        expect(fifo.peek()).toBe(model[0]);
      }
    }),
    { numRuns: 300 },
  );
});

it("stays a queue while it is long and moves on", () => {
  const fifo = new Fifo<number>();
  let pushed = 0;
  let taken = 0;
  for (let round = 0; round < 200; round++) {
    for (let i = 0; i < 50; i++) fifo.push(pushed++);
    for (let i = 0; i < 49; i++) expect(fifo.shift()).toBe(taken++);
  }
  expect(fifo.length).toBe(pushed - taken);
});
