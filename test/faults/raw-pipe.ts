// A dialler of FIFOs in the plainest way, by docs/spec/names-v1.md alone.
import { randomBytes } from "node:crypto";
import { closeSync, constants, mkdirSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { once } from "node:events";
import { Socket } from "node:net";
import { Duplex } from "node:stream";
import { execFileSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";

const READ = constants.O_RDONLY | constants.O_NONBLOCK;
const WRITE = constants.O_WRONLY | constants.O_NONBLOCK;

/**
 * Asks a listener for a link. As with a socket, the request may wait for the listener for as long as that likes: what is
 * written meanwhile waits, too. Closed by `destroy`, at any time.
 */
export function rawPipe(door: string): Duplex {
  const id = randomBytes(8).toString("hex");
  const folder = `${door}-${id}`;
  mkdirSync(`${door}~${id}`, { mode: 0o700 });
  execFileSync("mkfifo", ["-m", "600", `${door}~${id}/to-listener`, `${door}~${id}/to-dialler`]);
  const incoming = new Socket({ fd: openSync(`${door}~${id}/to-dialler`, READ), writable: false });
  const reader = openSync(`${door}~${id}/to-listener`, READ);
  const writer = openSync(`${door}~${id}/to-listener`, WRITE);
  closeSync(reader);
  renameSync(`${door}~${id}`, folder);
  const outgoing = new Socket({ fd: writer, readable: false, writable: true });

  const accepted = (async () => {
    const fd = openSync(door, WRITE);
    try {
      while (!isRung(fd, id) && !incoming.destroyed) await sleep(20);
    } finally {
      closeSync(fd);
    }
    for (;;) {
      const first = incoming.read(1) as Buffer | null;
      if (first?.toString() === "+") return;
      if (first !== null) throw new Error(`the listener's first byte is ${first[0]}`);
      await Promise.race([once(incoming, "readable"), once(incoming, "close")]);
      if (incoming.destroyed) return;
    }
  })();
  accepted.catch(() => {});

  const pipe = new Duplex({
    write(chunk, _encoding, callback) {
      accepted.then(() => outgoing.write(chunk, callback), callback);
    },
    final(callback) {
      accepted.then(() => outgoing.end(callback), callback);
    },
    read() {
      void accepted.then(
        () => incoming.resume(),
        () => {},
      );
    },
    destroy(error, callback) {
      incoming.destroy();
      outgoing.destroy();
      rmSync(folder, { recursive: true, force: true });
      callback(error);
    },
  });
  void accepted.then(
    () => {
      incoming.on("data", (chunk: Buffer) => {
        if (!pipe.push(chunk)) incoming.pause();
      });
      incoming.on("end", () => pipe.push(null));
    },
    (error: Error) => pipe.destroy(error),
  );
  incoming.on("error", (error) => pipe.destroy(error));
  outgoing.on("error", (error) => pipe.destroy(error));
  pipe.on("error", () => {});
  return pipe;
}

/** Whether the door took the ring: it may be full. */
function isRung(fd: number, id: string): boolean {
  try {
    return writeSync(fd, `\n${id}\n`) > 0;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EAGAIN") return false;
    throw error;
  }
}
