import type { Writable } from "node:stream";

/**
 * Keeps a socket open for reading when its peer takes no more. Node destroys a socket whose write fails, and what the
 * kernel still holds for reading is lost with it; so the failure is not shown to the stream. It goes on as if what is
 * written were sent, and `onBroken` is called once. What follows is taken
 * in a later turn of the event loop: a writer without end would otherwise keep it from reading that end.
 */
export function stopWritingWhenBroken(stream: Writable, onBroken: () => void): void {
  let broken = false;
  const guard = (callback: (error?: Error | null) => void): ((error?: Error | null) => void) => {
    return (error) => {
      if (!isBrokenPipe(error)) {
        callback(error);
        return;
      }
      if (!broken) {
        broken = true;
        onBroken();
      }
      setImmediate(callback);
    };
  };
  const write = stream._write.bind(stream);
  stream._write = (chunk, encoding, callback) => {
    if (broken) setImmediate(callback);
    else write(chunk, encoding, guard(callback));
  };
  const writev = stream._writev?.bind(stream);
  if (writev === undefined) return;
  stream._writev = (chunks, callback) => {
    if (broken) setImmediate(callback);
    else writev(chunks, guard(callback));
  };
}

function isBrokenPipe(error: NodeJS.ErrnoException | null | undefined): boolean {
  // The last one is Windows' word for a pipe whose other end is gone.
  return error?.code === "EPIPE" || error?.code === "ECONNRESET" || error?.code === "EOF";
}
