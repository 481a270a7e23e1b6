import { type ChildProcess, spawn as nodeSpawn, type SpawnOptions } from 'node:child_process';
import { Fault } from '../fault.ts';

/**
 * Node's `spawn`, but `Fault('unavailable')`, at once, where this process may open no more files: Node's own then gives a child without
 * streams, and an `error` event that ends the process, for whoever takes hold of the streams first never gets to listen for it. To kill a child that
 * could not be started does nothing: Node's own, asked at once, sends the signal to this process and all of its group (kill(2) of pid 0).
 */
export const spawn = ((command: string, args: readonly string[], options: SpawnOptions): ChildProcess => {
  const child = nodeSpawn(command, args, options);
  if (child.pid === undefined) child.kill = () => false;
  if ((child.stdio as ChildProcess['stdio'] | undefined) !== undefined) return child;
  child.on('error', () => undefined);
  throw new Fault('unavailable', `${command} cannot be run: too many files are open`, { recoverable: true });
}) as typeof nodeSpawn;
