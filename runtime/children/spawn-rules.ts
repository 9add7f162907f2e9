import type { ChildEvents, SpawnOptions } from "./child-api.js";
import { type RestartRules, restartRules } from "./restarts.js";
import type { SpawnRequest } from "./spawner.js";

/** What `spawn` was told, checked, with its defaults. */
export interface SpawnRules {
  readonly request: Omit<SpawnRequest, "limits" | "onStderr">;
  readonly restart: RestartRules | undefined;
  readonly on: NonNullable<SpawnOptions["on"]>;
  readonly connectTimeoutMs: number;
  readonly killTimeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

const CONNECT_TIMEOUT_MS = 10_000;
const KILL_TIMEOUT_MS = 2_000;

const OPTION_NAMES: readonly (keyof SpawnOptions)[] = [
  "args",
  "cwd",
  "env",
  "via",
  "stderr",
  "restart",
  "on",
  "connectTimeoutMs",
  "killTimeoutMs",
  "signal",
];

/** What a child tells. */
export const CHILD_EVENTS: readonly (keyof ChildEvents)[] = ["connected", "exit", "stderr", "failed"];

/** Throws a `TypeError` that names the option, its value and its range; the values of `args` and `env` may be secret. */
export function spawnRules(command: string, options: SpawnOptions): SpawnRules {
  if (command === "") throw new TypeError('command is ""; it must be the name of a program');
  checkText("command", command);
  for (const name of Object.keys(options)) {
    if (OPTION_NAMES.some((known) => known === name)) continue;
    throw new TypeError(`spawn has no option ${JSON.stringify(name)}; it has: ${OPTION_NAMES.join(", ")}`);
  }
  const { args = [], cwd, env, via = "socket", stderr = "events", restart, on = {}, signal } = options;
  const { connectTimeoutMs = CONNECT_TIMEOUT_MS, killTimeoutMs = KILL_TIMEOUT_MS } = options;
  if (!Array.isArray(args)) throw new TypeError(`args is ${typeof args}; it must be an array of strings`);
  for (const [index, value] of args.entries()) checkText(`args[${index}]`, value);
  if (cwd !== undefined) checkText("cwd", cwd);
  for (const [name, value] of Object.entries(env ?? {})) checkVariable(name, value);
  if (via !== "socket" && via !== "stdio")
    throw new TypeError(`via is ${JSON.stringify(via)}; it must be "socket" or "stdio"`);
  if (stderr !== "events" && stderr !== "inherit")
    throw new TypeError(`stderr is ${JSON.stringify(stderr)}; it must be "events" or "inherit"`);
  if (!(connectTimeoutMs > 0))
    throw new TypeError(`connectTimeoutMs is ${connectTimeoutMs}; it must be a number above 0`);
  if (!(killTimeoutMs >= 0))
    throw new TypeError(`killTimeoutMs is ${killTimeoutMs}; it must be a number from 0`);
  checkListeners(on);
  if (signal !== undefined && typeof signal?.addEventListener !== "function")
    throw new TypeError("signal is no AbortSignal");
  const request = { command, args, cwd, env, via, stderr };
  return { request, restart: restartRules(restart), on, connectTimeoutMs, killTimeoutMs, signal };
}

function checkListeners(on: object): void {
  for (const [event, listener] of Object.entries(on)) {
    if (!CHILD_EVENTS.some((known) => known === event))
      throw new TypeError(`on has no event ${JSON.stringify(event)}; it has: ${CHILD_EVENTS.join(", ")}`);
    if (listener !== undefined && typeof listener !== "function")
      throw new TypeError(`on.${event} is ${typeof listener}; it must be a function`);
  }
}

function checkVariable(name: string, value: unknown): void {
  const option = `env[${JSON.stringify(name)}]`;
  // The system would take what is behind the first "=" for a part of the value.
  if (name === "" || /[=\0]/.test(name))
    throw new TypeError(`${option}: the name of a variable is not empty and has neither "=" nor a NUL byte`);
  if (value !== undefined) checkText(option, value);
}

/** Programs get their words as C strings. */
function checkText(name: string, value: unknown): void {
  if (typeof value !== "string") throw new TypeError(`${name} is ${typeof value}; it must be a string`);
  const at = value.indexOf("\0");
  if (at !== -1) throw new TypeError(`${name} has a NUL byte at ${at}, which no program can be given`);
}
