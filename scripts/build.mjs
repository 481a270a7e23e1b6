#!/usr/bin/env node
// npm run build: TypeScript to dist/, the native programs to build/native/.
import { build, ensureCompiler, ensureModules } from './lib/setup.mjs';

ensureModules();
ensureCompiler();
build();
