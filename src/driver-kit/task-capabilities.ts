/**
 * Unlike Nomad: a task starts with no capability at all. `cap_add`, within the operator's `allow_caps`, brings single ones back;
 * the plugin option `capabilities = "nomad"` brings Nomad's set back, and the task reports the rung that leaves.
 */
import { allCapabilities, capabilityName, nomadDefaultCapabilities } from '../isolation/capabilities.ts';
import { Fault } from '../lib/fault.ts';
import type { IsolatedPluginOptions, IsolatedTaskOptions } from './isolated-options.ts';

export function taskCapabilities(
  config: Pick<IsolatedPluginOptions, 'allow_caps' | 'capabilities'>,
  options: Pick<IsolatedTaskOptions, 'cap_add' | 'cap_drop'>,
): readonly string[] {
  const allowed = expand(config.allow_caps);
  const added = expand(options.cap_add);
  const refused = added.filter((name) => !allowed.includes(name));
  if (refused.length > 0) {
    throw new Fault(
      'denied',
      `driver does not allow the following capabilities: ${refused.map((name) => name.toLowerCase()).join(', ')}`,
    );
  }
  const base = config.capabilities === 'nomad' ? nomadDefaultCapabilities.filter((name) => allowed.includes(name)) : [];
  const dropped = expand(options.cap_drop);
  return [...new Set([...base.filter((name) => !dropped.includes(name)), ...added])].sort();
}

function expand(names: readonly string[]): readonly string[] {
  return names.flatMap((each) => {
    const name = capabilityName(each);
    return name === 'ALL' ? allCapabilities : [name];
  });
}
