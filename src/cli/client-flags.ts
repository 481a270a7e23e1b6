import type { FlagTable } from './flags.ts';

export const displayFlags: FlagTable = {
  'no-color': { kind: 'bool', help: 'Never write colour. Also set by NO_COLOR and NOMAD_CLI_NO_COLOR.' },
  'force-color': { kind: 'bool', help: 'Write colour into pipes too. Also set by NOMAD_CLI_FORCE_COLOR.' },
};

/** Taken by every command that talks to an agent. */
export const clientFlags: FlagTable = {
  address: {
    kind: 'string',
    value: '<addr>',
    help: 'The agent: http(s)://host:port or unix://path. NOMAD_ADDR, else http://127.0.0.1:4646.',
  },
  region: { kind: 'string', value: '<region>', help: "The region to ask. NOMAD_REGION, else the agent's own." },
  namespace: { kind: 'string', value: '<namespace>', help: 'The namespace. NOMAD_NAMESPACE, else "default".' },
  token: {
    kind: 'string',
    value: '<token>',
    help: 'The secret of a token. Better: NOMAD_TOKEN, which process lists do not show.',
  },
  'ca-cert': {
    kind: 'string',
    value: '<path>',
    help: "PEM file of the authority that signed the agent's certificate. NOMAD_CACERT.",
  },
  'ca-path': { kind: 'string', value: '<path>', help: 'Directory of such PEM files. NOMAD_CAPATH.' },
  'client-cert': { kind: 'string', value: '<path>', help: 'PEM file of the certificate to show. NOMAD_CLIENT_CERT.' },
  'client-key': { kind: 'string', value: '<path>', help: 'PEM file of its key. NOMAD_CLIENT_KEY.' },
  'tls-server-name': {
    kind: 'string',
    value: '<name>',
    help: "The name expected in the agent's certificate. NOMAD_TLS_SERVER_NAME.",
  },
  'tls-skip-verify': {
    kind: 'bool',
    help: "Do not verify the agent's certificate: anyone between can read and change. NOMAD_SKIP_VERIFY.",
  },
  insecure: { kind: 'bool', help: 'The same as -tls-skip-verify.', hidden: true },
  ...displayFlags,
};
