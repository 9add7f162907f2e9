import fc from "fast-check";
import { expect, test } from "vitest";
import type { Stream } from "../../../runtime/session/stream.js";
import { StreamTable } from "../../../runtime/session/stream-table.js";

/** The table looks at nothing of a stream but its id. */
function streamOf(id: number): Stream {
  return { id } as Stream;
}

test("holds what a Map would hold, through any order of adding and deleting", () => {
  // Ids of both sides, close together and far apart, so that probes run into each other and around the end.
  const id = fc.oneof(
    fc.integer({ min: 1, max: 200 }),
    fc.integer({ min: 0, max: 40 }).map((n) => n * 64 + 1),
    fc.integer({ min: 2 ** 31 - 50, max: 2 ** 31 + 50 }),
    fc.integer({ min: 2 ** 53 - 100, max: 2 ** 53 - 1 }),
  );
  fc.assert(
    fc.property(fc.array(id, { maxLength: 400 }), (ids) => {
      const table = new StreamTable();
      const model = new Map<number, Stream>();
      for (const next of ids) {
        const known = model.get(next);
        if (known === undefined) {
          const stream = streamOf(next);
          table.add(stream);
          model.set(next, stream);
        } else {
          expect(table.delete(known)).toBe(true);
          expect(table.delete(known)).toBe(false);
          model.delete(next);
        }
        expect(table.size).toBe(model.size);
        for (const other of ids) expect(table.get(other)).toBe(model.get(other));
      }
      expect(new Set(table.all())).toEqual(new Set(model.values()));
    }),
    { numRuns: 60 },
  );
});

test("does not delete another stream of the same id", () => {
  const table = new StreamTable();
  table.add(streamOf(7));
  expect(table.delete(streamOf(7))).toBe(false);
  expect(table.has(7)).toBe(true);
});

test("is empty after clear", () => {
  const table = new StreamTable();
  for (let id = 1; id < 1000; id += 2) table.add(streamOf(id));
  table.clear();
  expect(table.size).toBe(0);
  expect(table.get(1)).toBeUndefined();
  expect(table.all()).toEqual([]);
});
