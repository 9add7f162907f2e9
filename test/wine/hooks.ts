// Loads tests as Vitest does, by the paths of their sources: what is read is what tsc made of them. And gives them our
// "vitest" for Vitest's. Runs in Node's thread for such hooks.
import { existsSync, readFileSync } from "node:fs";
import type { LoadHook, ResolveHook } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";

const repository = new URL("../../../", import.meta.url).href;
const shim = new URL("vitest.js", import.meta.url).href;

function isSource(url: string | undefined): url is string {
  return (
    url?.startsWith(repository) === true && !/\/(node_modules|dist)\//.test(url.slice(repository.length - 1))
  );
}

export const resolve: ResolveHook = (specifier, context, next) => {
  if (specifier === "vitest") return { url: shim, shortCircuit: true };
  if (isSource(context.parentURL) && specifier.startsWith(".") && specifier.endsWith(".js")) {
    const url = new URL(specifier.replace(/\.js$/, ".ts"), context.parentURL);
    if (existsSync(fileURLToPath(url))) return { url: url.href, shortCircuit: true };
  }
  return next(specifier, context);
};

export const load: LoadHook = (url, context, next) => {
  if (!isSource(url) || !url.endsWith(".ts")) return next(url, context);
  const built = `dist/${url.slice(repository.length).replace(/\.ts$/, ".js")}`;
  const source = readFileSync(fileURLToPath(new URL(built, repository)), "utf8");
  // The maps that tsc names lie beside the built file.
  const map = `${pathToFileURL(fileURLToPath(new URL(`${built}.map`, repository)))}`;
  return {
    format: "module",
    source: source.replace(/^\/\/# sourceMappingURL=.*$/m, `//# sourceMappingURL=${map}`),
    shortCircuit: true,
  };
};
