import { describe, expect, it } from "vitest";
import { filesOf, type Import, importsOf, read } from "./sources.js";

const sources = filesOf(".ts").filter((path) => !path.endsWith(".d.ts"));
const imports = sources.flatMap(importsOf);

function isIn(folder: string): (path: string) => boolean {
  return (path) => path.startsWith(folder);
}

const SESSION_MAY_SHARE = new Set(
  ["error", "code", "limits", "metadata", "codec/codec"].map((name) => `runtime/${name}.ts`),
);

/** The one seam to native code. */
const BINDING = "bindings/node/binding.ts";

/** A rule that imports keep: which it is about, what is allowed, and what to do instead. */
interface Rule {
  readonly about: (made: Import) => boolean;
  readonly allows: (made: Import) => boolean;
  readonly instead: string;
}

const RULES: readonly Rule[] = [
  {
    about: ({ from }) => from.startsWith("runtime/wire/"),
    allows: ({ target }) => target?.startsWith("runtime/wire/") === true,
    instead: "runtime/wire stands alone: move what it needs into it, or pass it in",
  },
  {
    about: ({ from }) => from.startsWith("runtime/session/"),
    allows: ({ target, isTypeOnly }) =>
      target !== undefined &&
      (isIn("runtime/session/")(target) ||
        isIn("runtime/wire/")(target) ||
        SESSION_MAY_SHARE.has(target) ||
        (isTypeOnly && target === "transports/transport.ts")),
    instead:
      "the session knows the wire, errors, limits and codecs alone: hand it the rest through SessionConfig or SessionHandler",
  },
  {
    about: ({ from }) => from.startsWith("runtime/"),
    allows: ({ specifier }) => !specifier.startsWith("node:"),
    instead:
      "the runtime knows no Node: ask for it through runtime/host.ts, and give it in platform/node-host.ts",
  },
  {
    about: ({ from, target }) => from.startsWith("runtime/") && target !== undefined,
    allows: ({ target, isTypeOnly }) =>
      target!.startsWith("runtime/") || (isTypeOnly && target === "transports/transport.ts"),
    instead:
      "the runtime imports itself and the types of transports/transport.ts: let index.ts pass in the rest",
  },
  {
    about: ({ from, target }) => from.startsWith("transports/") && target !== undefined,
    allows({ from, target }) {
      const folder = from.split("/").slice(0, -1).join("/");
      const isOwn = folder !== "transports" && target!.startsWith(`${folder}/`);
      if (from.startsWith("transports/shm/") && target === BINDING) return true;
      return isOwn || target!.startsWith("runtime/wire/") || /^transports\/[^/]+\.ts$/.test(target!);
    },
    instead:
      "a transport imports transports/transport.ts, the files beside it, its own folder and runtime/wire, as a third party's could: pass the rest in as an option",
  },
  {
    about: ({ from, target }) => from.startsWith("bindings/") && target !== undefined,
    allows: () => false,
    instead: "a binding stands on the C library alone: what uses it belongs into transports/shm",
  },
  {
    about: ({ from, target }) => target?.startsWith("bindings/") === true && SHIPPED.test(from),
    allows: ({ from, target }) =>
      target === BINDING && (from.startsWith("transports/shm/") || from === "index.ts"),
    instead: "only shared memory, and index.ts which composes it, know the native part: by binding.ts",
  },
  {
    about: ({ from, target }) => from.startsWith("platform/") && target !== undefined,
    allows: ({ target }) => /^(platform|runtime|transports)\//.test(target!),
    instead: "platform gives the runtime what Node has: what composes belongs into index.ts",
  },
  {
    about: ({ from, target }) => /^(runtime|transports)\//.test(from) && target !== undefined,
    allows: ({ target }) => !target!.startsWith("platform/") && target !== "index.ts",
    instead: "only index.ts composes: take it as a parameter",
  },
  {
    about: ({ from }) => from.startsWith("codegen/src/"),
    allows: ({ target, specifier }) =>
      target === undefined ? !specifier.startsWith("protoipc") : target.startsWith("codegen/"),
    instead:
      "the plugin is a package of its own and runs without the runtime: repeat the little that it needs",
  },
  {
    about: ({ from }) => from.startsWith("examples/"),
    allows: ({ target }) =>
      target === undefined ||
      target.startsWith("examples/") ||
      target.startsWith("gen/") ||
      target === "index.ts",
    instead: 'an example uses what users have: import from "protoipc"',
  },
  {
    about: ({ target }) => target !== undefined,
    allows: ({ from, target }) =>
      target !== from.replace(/[^/]*$/, "index.ts") || from.startsWith("test/") || !from.includes("/"),
    instead: "nobody imports the index.ts of its own folder: import the file that it exports from",
  },
];

/** What belongs to the packages, as users get them. */
const SHIPPED = /^(index\.ts$|runtime\/|transports\/|bindings\/|platform\/|codegen\/src\/)/;

describe("imports", () => {
  it("are found", () => {
    expect(imports.length).toBeGreaterThan(300);
    expect(imports).toContainEqual({
      from: "index.ts",
      specifier: "./runtime/endpoint.js",
      target: "runtime/endpoint.ts",
      isTypeOnly: false,
    });
    expect(
      imports.find(({ from, target }) => from === "runtime/peer.ts" && target === "transports/transport.ts")
        ?.isTypeOnly,
    ).toBe(true);
  });

  it("go one way", () => {
    const broken = RULES.flatMap(({ about, allows, instead }) =>
      imports
        .filter((made) => about(made) && !allows(made))
        .map((made) => `${made.from} imports ${made.specifier}: ${instead}`),
    );
    expect(broken).toEqual([]);
  });

  it("make no circle", () => {
    const next = new Map<string, string[]>();
    for (const { from, target, isTypeOnly } of imports) {
      if (target !== undefined && !isTypeOnly) next.set(from, [...(next.get(from) ?? []), target]);
    }
    const circles: string[] = [];
    const done = new Set<string>();
    const visit = (path: string, above: readonly string[]): void => {
      if (above.includes(path)) {
        const circle = [...above.slice(above.indexOf(path)), path].join(" → ");
        circles.push(`${circle}: move what both need into a file of its own, or import the type alone`);
        return;
      }
      if (done.has(path)) return;
      for (const target of next.get(path) ?? []) visit(target, [...above, path]);
      done.add(path);
    };
    for (const path of next.keys()) visit(path, []);
    expect(circles).toEqual([]);
  });

  it("leave no file without use", () => {
    const { exports } = JSON.parse(read("package.json")) as {
      exports: Record<string, { "protoipc-source"?: string }>;
    };
    const entries = Object.values(exports).flatMap((entry) => entry["protoipc-source"]?.slice(2) ?? []);
    const used = new Set([
      ...entries,
      "codegen/src/plugin.ts",
      ...imports.flatMap(({ from, target }) => (SHIPPED.test(from) && target !== undefined ? target : [])),
    ]);
    const dead = sources.filter((path) => SHIPPED.test(path) && !used.has(path));
    expect(
      dead.map((path) => `${path} is imported by nothing that is shipped: use it, or delete it`),
    ).toEqual([]);
    const usedByTests = new Set(imports.map(({ target }) => target));
    const helpers = sources.filter(
      (path) => /^test\/(harness|conformance|transports)\//.test(path) && !path.endsWith(".test.ts"),
    );
    const deadHelpers = helpers.filter((path) => !usedByTests.has(path));
    expect(deadHelpers.map((path) => `${path} is imported by no test: use it, or delete it`)).toEqual([]);
  });
});

describe("the session", () => {
  it("has no clock, timer, chance or process of its own", () => {
    const impure =
      /\b(Date|performance|process|console|crypto)\b\s*[.(]|\bset(Timeout|Interval|Immediate)\b|\bMath\.random\b|\bqueueMicrotask\b/;
    const broken = sources.filter(isIn("runtime/session/")).flatMap((path) =>
      read(path)
        .split("\n")
        .flatMap((line, index) => {
          const found = line.replace(/\/\/.*|^\s*\*.*|\/\*\*.*/, "").match(impure);
          const instead = "what the session needs of time comes in through SessionConfig.now and tick";
          return found === null ? [] : `${path}:${index + 1} uses ${found[0]}: ${instead}`;
        }),
    );
    expect(broken).toEqual([]);
  });
});
