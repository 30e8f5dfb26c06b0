/** What a job may say of a download, and the one line for all else. */
import t from 'tap';
import { urlSource } from '../../core/url-source.ts';

const REFUSED = [
  [{}, 'URL is missing; expected a URL, http:// or https://'],
  [
    { URL: 'ftp://host/secret' },
    'URL is not a URL with http:// or https:// and a host, of 8192 characters at most',
  ],
  [
    { URL: 'https://me:secret@host/file' },
    'URL holds a user or password, which would be kept and shown with the job; expected a URL without, such as a signed one that expires',
  ],
  [
    { URL: 'https://host/file', Checksum: 'md5:0' },
    'Checksum is "md5:0"; expected sha256: and 64 hex digits',
  ],
  [
    { url: 'https://host/file', MaxBytes: 0 },
    'MaxBytes is the number 0; expected a size such as 512Mb or 1Gi, or a number of bytes',
  ],
  [
    { URL: 'https://host/file', Proxy: 'http://x' },
    'Proxy is "http://x"; expected URL, Checksum, MaxBytes, each once',
  ],
] as const;

for (const [params, reason] of REFUSED)
  t.test(`a download is refused: ${reason}`, async (t) => {
    t.throws(() => urlSource(params, ['Params']), {
      code: 'invalid-job',
      message: `Params.${reason}`,
    });
  });

t.test('keys match without regard to case, sizes are numbers or quantities', async (t) => {
  const sum = 'AB'.repeat(32);
  const source = urlSource(
    { url: ' https://host/a b?x=1 ', CHECKSUM: `sha256:${sum}`, maxBytes: '2Ki' },
    [],
  );
  t.equal(source.url.href, 'https://host/a%20b?x=1');
  t.equal(source.sha256, sum.toLowerCase());
  t.equal(source.maxBytes, 2048);
});
