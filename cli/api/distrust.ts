/** Why a TLS connection did not come about, in words that say what to do; undefined for any other error. */

const UNKNOWN_CA = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
]);

export function distrust({ code = '', message }: NodeJS.ErrnoException): string | undefined {
  if (UNKNOWN_CA.has(code))
    return 'its certificate is signed by an authority that is not known here; name the PEM file of that CA in LIMPET_CA';
  if (code === 'CERT_HAS_EXPIRED') return 'its certificate has expired';
  if (code === 'CERT_NOT_YET_VALID')
    return 'its certificate is not valid yet; is the clock of this host right?';
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return `its certificate is for another name: ${message}`;
  if (code === 'EPROTO' && /wrong version number|packet length too long/.test(message))
    return 'it speaks no TLS; expected http:// instead of https://';
  return undefined;
}
