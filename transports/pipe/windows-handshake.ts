import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { Socket } from "node:net";
import { TransportError } from "../transport.js";

/** What both ends have to know, from the endpoint's file. */
export const TOKEN_BYTES = 32;
export const NONCE_BYTES = 32;
const PROOF_BYTES = 32;
const LISTENER_LABEL = "protoipc pipe v1 listener";
const DIALLER_LABEL = "protoipc pipe v1 dialler";

/** What a side shows to prove that it knows the token. Each direction has a label, so that no proof serves the other. */
export function proofOf(
  side: "listener" | "dialler",
  token: Uint8Array,
  diallerNonce: Uint8Array,
  listenerNonce: Uint8Array,
): Buffer {
  const label = side === "listener" ? LISTENER_LABEL : DIALLER_LABEL;
  return createHmac("sha256", token).update(label).update(diallerNonce).update(listenerNonce).digest();
}

/**
 * The dialler's part: sends a nonce, checks the listener's proof, and shows its own. Rejects with a `TransportError`, the
 * socket destroyed: "denied" for a listener that does not know the token.
 */
export async function shakeAsDialler(
  socket: Socket,
  token: Uint8Array,
  path: string,
  timeoutMs: number,
): Promise<void> {
  const nonce = randomBytes(NONCE_BYTES);
  socket.write(nonce);
  const answer = await readExactly(socket, NONCE_BYTES + PROOF_BYTES, path, timeoutMs);
  const theirs = answer.subarray(0, NONCE_BYTES);
  if (!timingSafeEqual(answer.subarray(NONCE_BYTES), proofOf("listener", token, nonce, theirs))) {
    socket.destroy();
    throw new TransportError("denied", `who listens on ${path} does not know the token of its endpoint`);
  }
  socket.write(proofOf("dialler", token, nonce, theirs));
}

/** The listener's part: shows its proof first, and says nothing to who does not know the token. Rejects likewise. */
export async function shakeAsListener(
  socket: Socket,
  token: Uint8Array,
  path: string,
  timeoutMs: number,
): Promise<void> {
  const giveUpAt = performance.now() + timeoutMs;
  const theirs = await readExactly(socket, NONCE_BYTES, path, timeoutMs);
  const nonce = randomBytes(NONCE_BYTES);
  socket.write(Buffer.concat([nonce, proofOf("listener", token, theirs, nonce)]));
  const leftMs = Math.max(1, giveUpAt - performance.now());
  const proof = await readExactly(socket, PROOF_BYTES, path, leftMs);
  if (!timingSafeEqual(proof, proofOf("dialler", token, theirs, nonce))) {
    socket.destroy();
    throw new TransportError("denied", `who dialled ${path} does not know the token of its endpoint`);
  }
}

/** Reads so many bytes and leaves those that follow. The socket is paused before, and after. */
function readExactly(socket: Socket, count: number, path: string, timeoutMs: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      socket.off("readable", onReadable);
      for (const event of ["end", "close", "error"]) socket.off(event, onEnd);
    };
    const fail = (why: string, cause?: unknown): void => {
      stop();
      socket.on("error", () => {});
      socket.destroy();
      reject(new TransportError("unavailable", `the handshake over ${path} failed: ${why}`, { cause }));
    };
    const onReadable = (): void => {
      const bytes: Buffer | null = socket.read(count);
      // At its end a stream gives what is left.
      if (bytes === null) return;
      if (bytes.length < count) {
        fail("the other side ended");
        return;
      }
      stop();
      resolve(bytes);
    };
    const onEnd = (cause?: unknown): void => fail("the other side ended", cause);
    const timer = setTimeout(
      () => fail(`the other side was silent for ${Math.round(timeoutMs)} ms`),
      timeoutMs,
    );
    socket.on("readable", onReadable);
    for (const event of ["end", "close", "error"]) socket.on(event, onEnd);
  });
}
