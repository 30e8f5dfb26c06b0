/** The log of an execution as an agent's stream sends it: a text that begins with `gap ` is a gap. */
export async function* logItems(
  texts: AsyncIterable<string>,
  from: number,
): AsyncIterable<Uint8Array> {
  let offset = from;
  for await (const text of texts) {
    const data = Buffer.from(text);
    const stream = text.startsWith('gap ') ? 'gap' : 'stdout';
    const item = { stream, timeMs: Date.now(), offset, data: data.toString('base64') };
    offset += data.length;
    yield Buffer.from(`${JSON.stringify(item)}\n`);
  }
}
