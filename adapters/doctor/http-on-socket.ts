/** One GET over a unix socket, with a deadline. Errors are those of the socket (`EACCES`, `ECONNREFUSED`), and `timeout`. */
import { request } from 'node:http';
import { LimpetError } from '../../core/errors.ts';

const DEADLINE_MS = 5_000;

export function getOnSocket(socketPath: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path, headers: { host: 'localhost' } }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.once('end', () => resolve(text)).once('error', reject);
    });
    const late = setTimeout(() => {
      asked.destroy(new LimpetError('timeout', `silent for ${DEADLINE_MS / 1000} s`));
    }, DEADLINE_MS);
    asked.once('close', () => clearTimeout(late)).once('error', reject);
    asked.end();
  });
}
