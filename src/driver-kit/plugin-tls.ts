/**
 * TLS between a plugin and its host, where the host asks for it: each makes a certificate for this one connection and trusts the other's
 * alone. The host gives its own in the environment, the plugin answers with its own in the handshake.
 */
import { ChannelCredentials, ServerCredentials } from '@grpc/grpc-js';
import { pemOf, type SelfSigned, selfSigned } from '../lib/node/self-signed.ts';

/** Where a host puts its certificate, as PEM. */
export const hostCertificateVariable = 'PLUGIN_CLIENT_CERT';
const hostname = 'localhost';

export function connectionCertificate(now: number): SelfSigned {
  return selfSigned(hostname, now);
}

/** What a plugin listens with: only the holder of the host's certificate gets in. */
export function pluginCredentials(own: SelfSigned, hostCertificate: string): ServerCredentials {
  const pair = { cert_chain: Buffer.from(own.certificate), private_key: Buffer.from(own.key) };
  return ServerCredentials.createSsl(Buffer.from(hostCertificate), [pair], true);
}

/** What a host connects with. `pluginCertificate`: base64 of its DER bytes, as the handshake has it. */
export function hostCredentials(
  own: Pick<SelfSigned, 'certificate' | 'key'>,
  pluginCertificate: string,
): ChannelCredentials {
  return ChannelCredentials.createSsl(
    Buffer.from(pemOf(Buffer.from(pluginCertificate, 'base64'))),
    Buffer.from(own.key),
    Buffer.from(own.certificate),
  );
}

/** The address of a plugin says nothing about its name. */
export const hostChannelOptions = {
  'grpc.ssl_target_name_override': hostname,
  'grpc.default_authority': hostname,
} as const;
