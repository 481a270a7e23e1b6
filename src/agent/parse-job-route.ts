/** The parse route's parser: files and the environment of this machine are out of reach for callers of the API. */
import type { JobParser } from '../api/routes.ts';
import { formatDiagnostic } from '../hcl/index.ts';
import { parseJob } from '../jobspec/index.ts';
import { Fault } from '../lib/fault.ts';
import { nodeFunctionHost } from '../lib/node/hcl-functions.ts';
import { canonicalJob } from '../model/canonical.ts';

export function jobParser(region: string): JobParser {
  return async ({ JobHCL, Variables, Canonicalize }) => {
    const parsed = parseJob({
      source: JobHCL,
      filename: 'input.hcl',
      variables: { inline: Variables },
      strict: false,
      host: nodeFunctionHost(),
    });
    if (parsed.job === null) throw new Fault('invalid', parsed.diagnostics.map(formatDiagnostic).join('\n'));
    return Canonicalize ? canonicalJob(parsed.job, { region, namespace: 'default' }) : parsed.job;
  };
}
