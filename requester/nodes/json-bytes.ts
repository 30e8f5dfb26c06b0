/** JSON on the wire. */
export function toBytes(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

export function fromBytes(bytes: Uint8Array): unknown {
  return JSON.parse(Buffer.from(bytes).toString('utf8'));
}
