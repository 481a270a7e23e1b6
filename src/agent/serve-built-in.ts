/** A built-in driver as a plugin of another host: this process is the plugin. */
import { serve } from '../driver-kit/serve/serve-program.ts';
import { Fault } from '../lib/fault.ts';
import { builtInDrivers } from './built-in-drivers.ts';

export const servableDrivers: readonly string[] = builtInDrivers.map(({ pluginName }) => pluginName);

/** Resolves when the host has asked for the end. `Fault('not_found')`: no such driver. */
export async function serveBuiltIn(name: string, stateDirectory: string): Promise<void> {
  const plugin = builtInDrivers.find(({ pluginName }) => pluginName === name);
  if (plugin === undefined)
    throw new Fault('not_found', `there is no driver ${JSON.stringify(name)}; there are ${servableDrivers.join(', ')}`);
  await serve(plugin, { stateDirectory });
}
