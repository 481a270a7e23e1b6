/** Reads agent files and directories, in order, and resolves them with the flags into one configuration. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { type Diagnostic, errorAt, type SourceRange } from '../hcl/index.ts';
import { messageOf } from '../lib/fault.ts';
import type { AgentConfig } from './config.ts';
import { devValues, resolveConfig } from './config-resolve.ts';
import { parseConfig } from './config-tree.ts';
import { decodeSettings, mergeValues, type Values } from './settings-decode.ts';

export interface LoadOptions {
  readonly paths: readonly string[];
  readonly dev: boolean;
  /** What flags set: over everything else. */
  readonly flags: Values;
  /** Used where nothing names a data_dir. */
  readonly defaultDataDir: string;
}

export interface LoadedConfig {
  readonly config: AgentConfig;
  readonly diagnostics: readonly Diagnostic[];
  /** Problems without a place; the configuration must not be used while there are any, or any error among the diagnostics. */
  readonly problems: readonly string[];
  /** What works, but should be written otherwise. */
  readonly warnings: readonly string[];
}

export function loadConfig(options: LoadOptions): LoadedConfig {
  let values: Values = options.dev ? devValues : {};
  const diagnostics: Diagnostic[] = [];
  const problems: string[] = [];
  const files: string[] = [];
  const places = new Map<string, SourceRange>();
  for (const path of options.paths) {
    try {
      files.push(...configFiles(path));
    } catch (error) {
      problems.push(`Error loading configuration from ${path}: ${reasonOf(error, path)}`);
    }
  }
  for (const file of files) {
    try {
      const { tree, diagnostics: syntax } = parseConfig(readFileSync(file), file);
      const decoded = decodeSettings(tree);
      diagnostics.push(...syntax, ...decoded.diagnostics);
      values = mergeValues(values, decoded.values);
      for (const [setting, place] of decoded.places) places.set(setting, place);
    } catch (error) {
      problems.push(`Error loading configuration from ${file}: ${reasonOf(error, file)}`);
    }
  }
  const context = {
    dev: options.dev,
    hostname: hostname(),
    defaultDataDir: options.defaultDataDir,
    files: files.map((file) => resolve(file)),
  };
  const resolved = resolveConfig(mergeValues(values, options.flags), context);
  // what a file that cannot be read would have set is not worth another complaint
  for (const { setting, summary, detail } of problems.length > 0 ? [] : resolved.misfits) {
    const place = isSet(options.flags, setting) ? undefined : places.get(setting);
    if (place !== undefined) diagnostics.push(errorAt(place, summary, detail));
    else problems.push(`${summary}: ${detail}`);
  }
  return {
    config: resolved.config,
    diagnostics,
    problems,
    warnings: resolved.warnings,
  };
}

/** A directory stands for its .hcl and .json files in the order of their names; what editors leave behind is passed over. */
function configFiles(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path)
    .filter((name) => /\.(hcl|json)$/.test(name) && !/^(\.|#)|~$/.test(name))
    .sort()
    .map((name) => join(path, name));
}

/** Whether flags set `ports.http`: then no file is to blame. */
function isSet(flags: Values, setting: string): boolean {
  return setting.split('.').reduce<unknown>((at, key) => (at as Values | undefined)?.[key], flags) !== undefined;
}

function reasonOf(error: unknown, path: string): string {
  return (error as NodeJS.ErrnoException).code === 'ENOENT'
    ? `stat ${path}: no such file or directory`
    : messageOf(error);
}
