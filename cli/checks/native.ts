import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { loadBinding } from "../../bindings/node/binding.js";
import type { Finding } from "./finding.js";

export function checkAddon(): Finding[] {
  const loaded = loadBinding();
  if (loaded.binding !== undefined)
    return [{ check: "native part", state: "ok", finding: "built, and loads" }];
  const compiler = process.env["CC"] ?? "cc";
  const hasCompiler = (process.env["PATH"] ?? "")
    .split(delimiter)
    .some((folder) => isExecutable(join(folder, compiler)));
  const advice = hasCompiler
    ? "npx protoipc build"
    : `install a C compiler (gcc or clang), then: npx protoipc build`;
  const finding = `${loaded.reason}; there is no shared memory, and no word of the kernel on who a peer is`;
  return [{ check: "native part", state: "warning", finding, advice }];
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
