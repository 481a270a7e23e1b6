/** A built-in driver as a plugin of another host: this process is the plugin. */
import type { DriverPlugin } from '../driver-kit/driver-plugin.ts';
import { type ServeOptions, serve } from '../driver-kit/serve/serve-program.ts';
import { Fault } from '../lib/fault.ts';
import { builtInDrivers, builtInNames } from './built-in-drivers.ts';

/** Resolves when the host has asked for the end. `Fault('not_found')`: no such driver. */
export async function serveBuiltIn(name: string, options: ServeOptions): Promise<void> {
  await serve(builtIn(name), options);
}

/** `Fault('not_found')` naming those that there are. */
export function builtIn(name: string): DriverPlugin {
  const plugin = builtInDrivers.find(({ pluginName }) => pluginName === name);
  if (plugin === undefined)
    throw new Fault('not_found', `there is no driver ${JSON.stringify(name)}; there are ${builtInNames.join(', ')}`);
  return plugin;
}
