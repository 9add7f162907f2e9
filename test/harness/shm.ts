import { type Binding, loadBinding } from "../../bindings/node/binding.js";

/**
 * The addon. Where it is not built, tests of shared memory are left out, and reported so; but not where everything has
 * to be tested.
 */
export function shmBinding(): Binding | undefined {
  const loaded = loadBinding();
  if (loaded.binding !== undefined) return loaded.binding;
  if (process.env["CI"] === "true" && process.platform === "linux") throw new Error(loaded.reason);
  return undefined;
}
