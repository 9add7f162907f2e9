import fc from "fast-check";
import { expect, it } from "vitest";
import { Deadlines, type Expiring } from "../../../runtime/session/deadlines.js";

it("gives what expires first, whatever is added and removed", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("add" as const), deadlineMs: fc.nat(50) }),
    fc.record({ kind: fc.constant("remove" as const), which: fc.nat() }),
    fc.constant({ kind: "take" as const }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const deadlines = new Deadlines<Expiring>();
      let model: Expiring[] = [];
      const remove = (item: Expiring): void => {
        deadlines.remove(item);
        expect(item.heapIndex).toBe(-1);
        model = model.filter((other) => other !== item);
      };
      for (const next of steps) {
        if (next.kind === "add") {
          const item = { deadlineMs: next.deadlineMs, heapIndex: -1 };
          deadlines.add(item);
          model.push(item);
        } else if (model.length > 0) {
          remove(next.kind === "take" ? deadlines.first! : model[next.which % model.length]!);
        }
        const least = model.length === 0 ? undefined : Math.min(...model.map(({ deadlineMs }) => deadlineMs));
        expect(deadlines.first?.deadlineMs).toBe(least);
      }
    }),
    { numRuns: 300 },
  );
});

it("takes the removal of what is not there for done", () => {
  const deadlines = new Deadlines<Expiring>();
  const item = { deadlineMs: 1, heapIndex: -1 };
  deadlines.remove(item);
  deadlines.add(item);
  deadlines.remove(item);
  deadlines.remove(item);
  expect(deadlines.first).toBeUndefined();
});
