/** Reads /proc/uptime: seconds since the machine started. Throws an `Error` that shows the text where it is no number. */
export function parseUptime(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(?:\s|$)/.exec(text);
  if (match === null)
    throw new Error(`uptime is ${JSON.stringify(text)}; expected such as "1178.69 2286.64"`);
  return Number(match[1]);
}
