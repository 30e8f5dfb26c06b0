/**
 * Text of jobs on a terminal. Colours pass; every other control sequence could move the cursor, write the clipboard or
 * answer for the user, and is shown instead of done. What is not a terminal gets the bytes as they are.
 */
import { StringDecoder } from 'node:string_decoder';

/** A colour, a whole one; or any control character but line feed, carriage return and tab. */
const CONTROLS = /\x1b\[[0-9;:]{0,32}m|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]/g;
/** What may become a colour with the next bytes. */
const BEGUN = /\x1b(?:\[[0-9;:]{0,32})?$/;
export const NO_COLOURS = '\x1b[0m';

/** One stream, piece by piece. */
export class TerminalText {
  readonly #decoder = new StringDecoder('utf8');
  #held = '';

  take(bytes: Buffer): string {
    const text = this.#held + this.#decoder.write(bytes);
    const begun = BEGUN.exec(text)?.index ?? text.length;
    this.#held = text.slice(begun);
    return shown(text.slice(0, begun), true);
  }

  /** What was held back. Colours go on until `NO_COLOURS`. */
  end(): string {
    const rest = this.#held + this.#decoder.end();
    this.#held = '';
    return shown(rest, true);
  }
}

/** Names, reasons and the like: without colours. */
export function plainText(text: string): string {
  return shown(text, false);
}

function shown(text: string, colours: boolean): string {
  return text.replace(CONTROLS, (found) => {
    if (found.length > 1) return colours ? found : `\\x1b${found.slice(1)}`;
    return `\\x${found.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
}
