import { join as joinPath } from "node:path";
import { toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { emptyOutputFolder, protoFiles, repository } from "../codegen/compile.js";
import { compareView, type ViewVerdict } from "./compare-view.js";
import { generateInPlacePairs, type InPlacePair } from "./inplace-pairs.js";
import { messageArbitrary } from "./message-arbitrary.js";
import { mutations } from "./mutate.js";
import { join, rawFields } from "./raw-fields.js";

const schemas = joinPath(repository, "test/codec/schemas");
/** One seed that is always the same, and one that never is. */
const seeds = [1, Date.now() & 0x3fff_ffff];
/** Messages of each type, with each seed. */
const RUNS = 15;
let pairs: InPlacePair[];

beforeAll(async () => {
  const out = await emptyOutputFolder("views");
  pairs = await generateInPlacePairs(schemas, protoFiles(schemas), out);
}, 60_000);

type Tally = Record<ViewVerdict, number>;

/** Tries what is drawn for each type. `make` gives the bytes that are to be read. */
function tryAll<T>(
  runs: number,
  more: fc.Arbitrary<T>,
  make: (pair: InPlacePair, bytes: Uint8Array, more: T) => Uint8Array[],
): Tally {
  const tally: Tally = { equal: 0, refused: 0, overrun: 0, hidden: 0 };
  for (const seed of seeds) {
    for (const [index, pair] of pairs.entries()) {
      const property = fc.property(messageArbitrary(pair.desc), more, (message, drawn) => {
        for (const bytes of make(pair, toBinary(pair.desc, message), drawn))
          tally[compareView(pair, bytes)]++;
      });
      fc.assert(property, { numRuns: runs, seed: seed + index, endOnFailure: true });
    }
  }
  return tally;
}

describe("a view has what the decoded message has", { timeout: 300_000 }, () => {
  test("in every getter", () => {
    expect(pairs.length).toBeGreaterThan(25);
    const tally = tryAll(RUNS, fc.constant(0), (_, bytes) => [bytes]);
    expect(tally.equal).toBe(2 * RUNS * pairs.length);
  });

  test("with fields in any order, some more than once, of two messages", () => {
    const order = fc.record({ other: fc.nat(), picks: fc.array(fc.nat(), { minLength: 4, maxLength: 40 }) });
    const tally = tryAll(RUNS, order, ({ desc }, bytes, { other, picks }) => {
      const second = toBinary(desc, fc.sample(messageArbitrary(desc), { numRuns: 1, seed: other })[0]!);
      const fields = [...rawFields(desc, bytes), ...rawFields(desc, second)];
      const mixed = fields.length === 0 ? [] : picks.map((pick) => fields[pick % fields.length]!);
      return [join(fields), join([...fields].reverse()), join(mixed)];
    });
    expect(tally.refused).toBe(0);
    expect(tally.overrun).toBe(0);
    expect(tally.equal).toBe(3 * 2 * RUNS * pairs.length);
  });

  test("or fails where that does not decode, and only there", () => {
    const tally = tryAll(RUNS, fc.array(mutations(), { minLength: 4, maxLength: 4 }), (_, bytes, changes) =>
      changes.map((change) => change(bytes)),
    );
    expect(tally.equal).toBeGreaterThan(500);
    expect(tally.refused).toBeGreaterThan(500);
    expect(tally.overrun).toBeLessThan(tally.equal / 20);
    expect(tally.hidden).toBeLessThan(tally.refused / 20);
  });
});
