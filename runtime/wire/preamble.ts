/** The major version of the wire protocol, the last byte of the preamble. */
export const PROTOCOL_MAJOR = 1;

/**
 * What both sides send first on a byte stream. The first byte is no ASCII and begins no UTF-8 text; CR LF and the
 * end-of-file byte of DOS show a channel that rewrites text.
 */
export const PREAMBLE: Uint8Array = Uint8Array.of(0x89, 0x69, 0x70, 0x63, 0x0d, 0x0a, 0x1a, PROTOCOL_MAJOR);

/** Whether `bytes[start, end)` are the bytes of the preamble from its byte `at` on. */
export function continuesPreamble(bytes: Uint8Array, start: number, end: number, at: number): boolean {
  for (let i = start; i < end; i++) {
    if (bytes[i] !== PREAMBLE[at + i - start]) return false;
  }
  return true;
}

/** Says what a peer sent in place of the preamble. Looks at the first 8 bytes of `received`. */
export function describeMismatch(received: Uint8Array): string {
  const head = received.subarray(0, PREAMBLE.length);
  const magic = PREAMBLE.length - 1;
  if (head.length > magic && continuesPreamble(head, 0, magic, 0)) {
    return `the peer speaks major version ${head[magic]} of the protocol, this side speaks ${PROTOCOL_MAJOR}`;
  }
  const hint = guessProtocol(head);
  return `the peer's first bytes are ${hex(head)}, not the preamble ${hex(PREAMBLE)}${hint}`;
}

function guessProtocol(head: Uint8Array): string {
  let text = "";
  for (const byte of head) text += String.fromCharCode(byte);
  if (text.startsWith("PRI * HT")) return "; it looks like HTTP/2 (gRPC)";
  if (/^(GET|PUT|POST|HEAD|PATCH|DELETE|OPTIONS|CONNECT|TRACE)( |$)/.test(text))
    return "; it looks like HTTP/1";
  if (head[0] === 0x16 && (head.length < 2 || head[1] === 0x03)) return "; it looks like TLS";
  if (/^[\t\r\n\x20-\x7e]*$/.test(text)) return "; it looks like a line of text";
  return "";
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}
