/** Why TLS with the broker did not come about: one line, with what to do. */
import { ErrorCode, NatsError } from 'nats';
import { messageOf } from '../../core/errors.ts';

const UNKNOWN_AUTHORITY = [
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_SIGNATURE_FAILURE',
];
const NO_TLS: string = ErrorCode.ServerOptionNotAvailable;
const OTHER: string = ErrorCode.Tls;

/** undefined when it is about something else. */
export function tlsDetail(thrown: unknown, broker: string): string | undefined {
  const code = codeOf(thrown);
  const shows = `the certificate of the broker ${broker}`;
  if (UNKNOWN_AUTHORITY.includes(code))
    return `${shows} is of an authority that is not known here: name its PEM file as nats.tls.caFile`;
  if (code === 'CERT_HAS_EXPIRED')
    return `${shows} has expired: renew it there, or set this host's clock right`;
  if (code === 'CERT_NOT_YET_VALID')
    return `${shows} is not valid yet: set this host's clock right`;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return `${shows} is for another name: ${messageOf(thrown)}; connect by a name that stands in it, or issue it for this one`;
  if (code === 'CERTIFICATE_REQUIRED')
    return `the broker ${broker} asks for a certificate of this program: nats.tls.certFile and keyFile, signed by an authority that it knows`;
  // What it says just before it hangs up may be lost with the connection.
  if (code === 'ECONNRESET' && broker.startsWith('tls:'))
    return `the broker ${broker} broke off: ${messageOf(thrown)}; it may be that it asks for a certificate of this program: nats.tls.certFile and keyFile`;
  if (code === NO_TLS)
    return `the broker ${broker} speaks no TLS, which tls:// or nats.tls asks for: switch it on there, or write nats://`;
  if (code === OTHER) return `TLS with the broker ${broker}: ${messageOf(thrown)}`;
  return undefined;
}

function codeOf(thrown: unknown): string {
  if (thrown instanceof NatsError) return thrown.code;
  const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : '';
  return /^ERR_SSL_.*(CERTIFICATE_REQUIRED|BAD_CERTIFICATE|UNKNOWN_CA)$/.test(code)
    ? 'CERTIFICATE_REQUIRED'
    : code;
}
