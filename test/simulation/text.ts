/** The body of a message: a function of its place in its stream, so that any change shows. */
export function bodyOf(id: string, index: number, size: number): Uint8Array {
  let state = index + 1;
  for (let i = 0; i < id.length; i++) state = Math.imul(state ^ id.charCodeAt(i), 0x01000193) >>> 0;
  const body = new Uint8Array(size);
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    body[i] = state >>> 24;
  }
  return body;
}

/** What is wrong with a message that should be number `index` of `id`; `undefined` where nothing is. */
export function problemOf(
  message: { readonly text: string; readonly number: number; readonly body: Uint8Array },
  id: string,
  index: number,
): string | undefined {
  if (message.text !== id) return `text is ${JSON.stringify(message.text)}, not ${JSON.stringify(id)}`;
  if (message.number !== index) return `message ${message.number} came where ${index} was due`;
  const wanted = bodyOf(id, index, message.body.length);
  const at = message.body.findIndex((byte, i) => byte !== wanted[i]);
  return at < 0 ? undefined : `byte ${at} of message ${index} differs`;
}
