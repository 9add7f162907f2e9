import { describe, expect, it } from "vitest";
import { openHere, start } from "./stage.js";

interface Outcome {
  readonly won: boolean;
  readonly code?: string;
  readonly message?: string;
}

describe("one name, sixteen processes", () => {
  it("is won by one, and the others learn whose it is; round after round", { timeout: 90_000 }, async () => {
    const processes = await Promise.all(Array.from({ length: 16 }, () => start("fault-opener", ["market"])));
    const seeker = await openHere();
    for (let round = 0; round < 6; round++) {
      const outcomes = await Promise.all(processes.map((child) => child.ask<Outcome>({ do: "open" })));
      const winners = processes.filter((_child, i) => outcomes[i]?.won);
      expect(winners.length).toBe(1);
      const winner = winners[0]!;
      for (const { won, code, message } of outcomes) {
        if (won) continue;
        expect(code).toBe("ALREADY_EXISTS");
        expect(message).toContain(`is taken by process ${winner.pid};`);
      }
      expect((await seeker.connect("market")).pid).toBe(winner.pid);
      // Every other round the owner dies instead of giving the name back.
      if (round % 2 === 0) {
        await winner.kill("SIGKILL");
        processes.splice(processes.indexOf(winner), 1, await start("fault-opener", ["market"]));
      } else {
        await winner.ask({ do: "close" });
      }
    }
  });
});
