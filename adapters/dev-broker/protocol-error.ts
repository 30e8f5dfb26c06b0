/** The client broke the protocol: `message` goes to it as `-ERR '<message>'` ('' for none), then the connection ends. */
export class ProtocolError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ProtocolError';
  }
}
