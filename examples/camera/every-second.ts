/** Writes a line once a second, made of the seconds since the one before, until the function that it returns is called. */
export function everySecond(line: (seconds: number) => string): () => void {
  let beforeMs = performance.now();
  const timer = setInterval(() => {
    const nowMs = performance.now();
    process.stdout.write(`${line((nowMs - beforeMs) / 1000)}\n`);
    beforeMs = nowMs;
  }, 1000);
  return () => clearInterval(timer);
}
