/** `drover/driver`: what a driver's author needs. */

export { type Decoded, decodeConfig } from '../driver/config-decode.ts';
export { type JsonSchema, jsonSchemaOf } from '../driver/config-json-schema.ts';
export { optionsPage } from '../driver/config-page.ts';
export { type ConfigOf, type ConfigOption, type ConfigSchema, option } from '../driver/config-schema.ts';
export type * from '../driver/contract.ts';
export { Fault, type FaultKind, isFault } from '../lib/fault.ts';
export { commandEngine } from './command-engine.ts';
export { type ConformanceCase, conformanceCases, type DriverSuite } from './conformance.ts';
export { type Command, type DriverDefinition, defineDriver } from './define-driver.ts';
export {
  defineEngineDriver,
  type EngineDefinition,
  type EngineExit,
  type EngineStats,
  type EngineTask,
} from './define-engine-driver.ts';
export { type DriverDeps, type DriverPlugin, definePlugin, type OpenDriver, openDriver } from './driver-plugin.ts';
export { carryPrograms } from './embedded-programs.ts';
export { fingerprints } from './fingerprints.ts';
export { mayCome } from './rehearsal.ts';
export { type LaunchedPlugin, launchPlugin } from './remote/launch-plugin.ts';
export { openRemoteDriver, shutDownPlugin } from './remote/remote-driver.ts';
export { type Serving, serveOnSocket, servePlugin } from './serve/serve.ts';
export { type ServeOptions, serve } from './serve/serve-program.ts';
export { sweepStarts } from './sweep.ts';
export type { StateDefinition } from './task-state.ts';
export { type TriedTask, type TryTaskOptions, tryTask } from './try-task.ts';
