import { lstat } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { errnoOf, transportErrorOf } from "../errno.js";
import { TransportError } from "../transport.js";

/** The directory below which endpoints are found by name. */
export interface Root {
  readonly path: string;
  /** What decided it: the name of the environment variable, or the directory that was found or fallen back to. */
  readonly rule: "PROTOIPC_DIR" | "XDG_RUNTIME_DIR" | "/run/user" | "/tmp" | "LOCALAPPDATA";
}

/** Chooses the root. It need not exist. Throws a `TransportError` "invalid" when $PROTOIPC_DIR is no absolute path. */
export async function chooseRoot(environment: NodeJS.ProcessEnv = process.env): Promise<Root> {
  const given = environment["PROTOIPC_DIR"];
  if (given !== undefined && given !== "") {
    if (!isAbsolute(given))
      throw new TransportError("invalid", `PROTOIPC_DIR is ${given}, which is no absolute path`);
    return { path: join(given), rule: "PROTOIPC_DIR" };
  }
  if (process.platform === "win32") return windowsRoot(environment);
  const runtime = environment["XDG_RUNTIME_DIR"];
  // The XDG specification has relative paths ignored.
  if (runtime !== undefined && isAbsolute(runtime)) {
    return { path: join(runtime, "protoipc"), rule: "XDG_RUNTIME_DIR" };
  }
  const uid = process.geteuid?.();
  if (uid === undefined) {
    throw new TransportError(
      "unavailable",
      "this system has no directory for sockets; set PROTOIPC_DIR to one",
    );
  }
  const run = `/run/user/${uid}`;
  if (await isOwnDirectory(run, uid)) return { path: join(run, "protoipc"), rule: "/run/user" };
  return { path: `/tmp/protoipc-${uid}`, rule: "/tmp" };
}

/** The part of the user's profile that stays on this machine. */
function windowsRoot(environment: NodeJS.ProcessEnv): Root {
  const local = environment["LOCALAPPDATA"];
  if (local === undefined || !isAbsolute(local)) {
    throw new TransportError("unavailable", "neither PROTOIPC_DIR nor LOCALAPPDATA is set to a directory");
  }
  return { path: join(local, "protoipc"), rule: "LOCALAPPDATA" };
}

async function isOwnDirectory(path: string, uid: number): Promise<boolean> {
  try {
    const found = await lstat(path);
    return found.isDirectory() && found.uid === uid;
  } catch (error) {
    const code = errnoOf(error);
    if (code === "ENOENT" || code === "EACCES" || code === "ENOTDIR") return false;
    throw transportErrorOf(error, `cannot look at ${path}`);
  }
}
