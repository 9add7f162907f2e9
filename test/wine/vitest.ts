// What the tests import as "vitest" where Vitest does not run: node.exe under Wine, for which it has no native parts. The
// matchers are Vitest's own; what runs the tests is here, as plain as can be: one after the other, in the order given.
import { writeFileSync } from "node:fs";
import {
  ASYMMETRIC_MATCHERS_OBJECT,
  getState,
  JestAsymmetricMatchers,
  JestChaiExpect,
  JestExtend,
  setState,
} from "@vitest/expect";
import * as chai from "chai";
import type { Outcome } from "./outcome.js";

type Run = (context: { readonly skip: () => never }) => unknown;
type Hook = () => unknown;
interface Options {
  readonly timeout?: number;
}

interface Test {
  readonly kind: "test";
  readonly name: string;
  readonly run: Run;
  readonly timeoutMs: number;
  readonly isLeftOut: boolean;
}

interface Suite {
  readonly kind: "suite";
  readonly name: string;
  readonly isLeftOut: boolean;
  readonly children: (Suite | Test)[];
  readonly beforeAll: Hook[];
  readonly afterAll: Hook[];
  readonly beforeEach: Hook[];
  readonly afterEach: Hook[];
}

const TIMEOUT_MS = 60_000;
const SKIP = Symbol("skip");

chai.use(JestExtend);
chai.use(JestChaiExpect);
chai.use(JestAsymmetricMatchers);

/** As Vitest's, without `poll` and snapshots. */
export const expect: Chai.ExpectStatic = Object.assign(
  (value: unknown, message?: string) => chai.expect(value, message),
  chai.expect,
  (globalThis as unknown as Record<symbol | string, object>)[ASYMMETRIC_MATCHERS_OBJECT],
) as Chai.ExpectStatic;
Object.assign(expect, {
  getState: () => getState(expect as never),
  setState: (state: object) => setState(state, expect as never),
});
setState({ assertionCalls: 0, expectedAssertionsNumber: null }, expect as never);

const root = newSuite("", false);
let current = root;
/** What is to be done at the end of the test that runs, after the hooks of its suites. */
const finished: Hook[] = [];

function newSuite(name: string, isLeftOut: boolean): Suite {
  return {
    kind: "suite",
    name,
    isLeftOut,
    children: [],
    beforeAll: [],
    afterAll: [],
    beforeEach: [],
    afterEach: [],
  };
}

function addSuite(name: string, body: () => void, isLeftOut = false): void {
  const outer = current;
  current = newSuite(name, isLeftOut);
  outer.children.push(current);
  body();
  current = outer;
}

function addTest(
  name: string,
  first: Options | Run,
  second?: Options | Run | number,
  isLeftOut = false,
): void {
  const run = typeof first === "function" ? first : (second as Run);
  const options = typeof first === "function" ? second : first;
  const given = typeof options === "number" ? options : (options as Options | undefined)?.timeout;
  current.children.push({
    kind: "test",
    name,
    run,
    // Wine is slower, and so is a machine that does other things.
    timeoutMs: Math.max(TIMEOUT_MS, 2 * (given ?? 0)),
    isLeftOut,
  });
}

/** Puts the values of a row into a title: %s, %d and so on, one after the other; $name, where the row is an object. */
function titled(title: string, row: readonly unknown[]): string {
  let next = 0;
  const [first] = row;
  const named = title.replace(/\$(\w+)/g, (whole, name: string) =>
    typeof first === "object" && first !== null && name in first
      ? String((first as Record<string, unknown>)[name])
      : whole,
  );
  return named.replace(/%[sdifjoO]/g, () => {
    const value = row[next++];
    return typeof value === "string" ? value : (JSON.stringify(value) ?? String(value));
  });
}

function rowOf(item: unknown): readonly unknown[] {
  return Array.isArray(item) ? item : [item];
}

type Body = (...row: unknown[]) => unknown;

interface It {
  (name: string, first: Options | Run, second?: Options | Run | number): void;
  skipIf(condition: unknown): It;
  runIf(condition: unknown): It;
  each(
    rows: readonly unknown[],
  ): (title: string, first: Options | Body, second?: Options | Body | number) => void;
}

function makeIt(isLeftOut: boolean): It {
  const self = (name: string, first: Options | Run, second?: Options | Run | number): void =>
    addTest(name, first, second, isLeftOut);
  return Object.assign(self, {
    skipIf: (condition: unknown) => makeIt(isLeftOut || Boolean(condition)),
    runIf: (condition: unknown) => makeIt(isLeftOut || !condition),
    each:
      (rows: readonly unknown[]) =>
      (title: string, first: Options | Body, second?: Options | Body | number) => {
        for (const row of rows.map(rowOf)) {
          const bind = <T>(value: T): T | Run =>
            typeof value === "function" ? () => (value as unknown as Body)(...row) : value;
          self(titled(title, row), bind(first) as Run, bind(second) as Run);
        }
      },
  });
}

interface Describe {
  (name: string, body: () => void): void;
  skipIf(condition: unknown): Describe;
  runIf(condition: unknown): Describe;
  each(rows: readonly unknown[]): (title: string, body: (...row: unknown[]) => void) => void;
}

function makeDescribe(isLeftOut: boolean): Describe {
  const self = (name: string, body: () => void): void => addSuite(name, body, isLeftOut);
  return Object.assign(self, {
    skipIf: (condition: unknown) => makeDescribe(isLeftOut || Boolean(condition)),
    runIf: (condition: unknown) => makeDescribe(isLeftOut || !condition),
    each: (rows: readonly unknown[]) => (title: string, body: (...row: unknown[]) => void) => {
      for (const row of rows.map(rowOf)) self(titled(title, row), () => body(...row));
    },
  });
}

export const it: It = makeIt(false);
export const test: It = it;
export const describe: Describe = makeDescribe(false);
export const beforeAll = (hook: Hook): number => current.beforeAll.push(hook);
export const afterAll = (hook: Hook): number => current.afterAll.push(hook);
export const beforeEach = (hook: Hook): number => current.beforeEach.push(hook);
export const afterEach = (hook: Hook): number => current.afterEach.push(hook);

/** To be called while a test runs. */
export const onTestFinished = (hook: Hook): number => finished.push(hook);

export const vi = {
  async waitUntil(condition: () => unknown, { timeout = 1_000 }: Options = {}): Promise<void> {
    const giveUpAt = performance.now() + timeout;
    while (!(await condition())) {
      if (performance.now() > giveUpAt) throw new Error(`not within ${timeout} ms`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  },
};

/** Runs what was declared, and writes what came of it. `leftOut`: the tests that are not to be run, by their titles. */
export async function runAll(leftOut: ReadonlySet<string>, resultsPath: string): Promise<void> {
  const outcomes: Outcome[] = [];
  await runSuite(root, [], [], outcomes, leftOut, false);
  writeFileSync(resultsPath, JSON.stringify(outcomes));
}

async function runSuite(
  suite: Suite,
  titles: readonly string[],
  around: readonly Suite[],
  outcomes: Outcome[],
  leftOut: ReadonlySet<string>,
  isSkipped: boolean,
): Promise<void> {
  const skipped = isSkipped || suite.isLeftOut;
  const suites = [...around, suite];
  let failure: unknown;
  if (!skipped) failure = await failureOf(suite.beforeAll);
  for (const child of suite.children) {
    const path = [...titles, child.name];
    if (child.kind === "suite") await runSuite(child, path, suites, outcomes, leftOut, skipped);
    else {
      const title = path.join(" > ");
      const isOut = skipped || child.isLeftOut || leftOut.has(title);
      const startedAt = performance.now();
      const state = isOut ? "skipped" : await stateOf(child, suites, failure);
      const outcome = { title, ms: Math.round(performance.now() - startedAt), ...stated(state) };
      outcomes.push(outcome);
      console.log(`${outcome.state} ${title} (${outcome.ms} ms)${outcome.error ? `\n${outcome.error}` : ""}`);
    }
  }
  if (skipped) return;
  const late = await failureOf(suite.afterAll);
  if (late !== undefined) {
    outcomes.push({ title: [...titles, "afterAll"].join(" > "), ms: 0, ...stated({ error: late }) });
  }
}

type State = "passed" | "skipped" | { readonly error: unknown };

function stated(state: State): Pick<Outcome, "state" | "error"> {
  if (typeof state === "string") return { state, error: "" };
  const { error } = state;
  return { state: "failed", error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}

async function stateOf(test: Test, suites: readonly Suite[], failure: unknown): Promise<State> {
  if (failure !== undefined) return { error: failure };
  let error: unknown;
  let isSkipped = false;
  const skip = (): never => {
    throw SKIP;
  };
  error = await failureOf(suites.flatMap((suite) => suite.beforeEach));
  if (error === undefined) error = await failureOf([() => test.run({ skip })], test.timeoutMs);
  if (error === SKIP) {
    isSkipped = true;
    error = undefined;
  }
  // Also after a failure, or the next test has what this one left.
  const late = await failureOf([...suites].reverse().flatMap((suite) => [...suite.afterEach].reverse()));
  error ??= late;
  error ??= await failureOf(finished.splice(0).reverse());
  if (error !== undefined) return { error };
  return isSkipped ? "skipped" : "passed";
}

/** What the first that fails throws. */
async function failureOf(
  hooks: readonly (() => unknown)[],
  timeoutMs: number = TIMEOUT_MS,
): Promise<unknown> {
  for (const hook of hooks) {
    let timer: NodeJS.Timeout | undefined;
    const timedOut = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`not within ${timeoutMs} ms`)), timeoutMs);
    });
    try {
      await Promise.race([hook(), timedOut]);
    } catch (error) {
      return error ?? new Error("nothing was thrown");
    } finally {
      clearTimeout(timer);
    }
  }
  return undefined;
}
