#!/usr/bin/env node
// Reading job files of 1 kB, 100 kB and 10 MB: the syntax tree alone, and the whole way to the API's job. Time, throughput, bytes
// allocated (what the heap grew by between collections).
//
//   node test/bench/hcl.mjs [-json]      DROVER_DIST: compiled sources (default dist)
import { cpus, loadavg } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { GCProfiler } from 'node:v8';

const dist = resolve(process.env.DROVER_DIST ?? join(import.meta.dirname, '../../dist'));
const load = (path) => import(pathToFileURL(join(dist, path)).href);
const { parseNative } = await load('hcl/index.js');
const { parseJob } = await load('jobspec/index.js');

const group = (n) => `
  group "service-${n}" {
    count = ${(n % 5) + 1}

    # the port that clients use
    network {
      mode = "bridge"
      port "http" {
        to = ${8000 + (n % 1000)}
      }
    }

    restart {
      attempts = 3
      delay    = "15s"
      mode     = "delay"
    }

    task "server" {
      driver       = "docker"
      kill_timeout = "20s"

      config {
        image = "registry.example.com/service-${n}:\${var.version}"
        args  = ["--port", "\${NOMAD_PORT_http}", "--name", upper("svc-${n}")]
        ports = ["http"]
      }

      env {
        MODE  = var.version == "1.2.3" ? "stable" : "testing"
        INDEX = ${n} + 1
      }

      template {
        destination = "local/app.conf"
        data        = <<-EOT
          listen = {{ env "NOMAD_PORT_http" }}
          name   = service-${n}
        EOT
      }

      resources {
        cpu    = 100
        memory = 128
      }
    }
  }
`;

function jobFile(bytes) {
  const parts = ['variable "version" {\n  default = "1.2.3"\n}\n\njob "bench" {\n  datacenters = ["dc1"]\n'];
  for (let n = 0, size = parts[0].length; size < bytes - 200; n++) size += parts[parts.push(group(n)) - 1].length;
  return Buffer.from(`${parts.join('')}}\n`);
}

/** The median time and the bytes allocated of one call. */
function measure(run, times) {
  run();
  const durations = [];
  const before = process.cpuUsage();
  for (let i = 0; i < times; i++) {
    const start = performance.now();
    run();
    durations.push(performance.now() - start);
  }
  const { user, system } = process.cpuUsage(before);
  durations.sort((a, b) => a - b);
  const profiler = new GCProfiler();
  let last = process.memoryUsage().heapUsed;
  profiler.start();
  run();
  const end = process.memoryUsage().heapUsed;
  const { statistics } = profiler.stop();
  let allocated = 0;
  for (const { beforeGC, afterGC } of statistics) {
    allocated += Math.max(0, beforeGC.heapStatistics.usedHeapSize - last);
    last = afterGC.heapStatistics.usedHeapSize;
  }
  return { ms: durations[durations.length >> 1], cpuMs: (user + system) / 1000 / times, allocated: allocated + Math.max(0, end - last) };
}

// The first file of a fresh process, which is what somebody who runs a command waits for.
const first = jobFile(10_000_000);
const start = performance.now();
parseJob({ source: first, filename: 'bench.nomad.hcl' });
const firstMs = performance.now() - start;

const rows = [];
for (const [bytes, times] of [[1_000, 200], [100_000, 30], [10_000_000, 3]]) {
  const source = jobFile(bytes);
  const tree = measure(() => parseNative(source, 'bench.nomad.hcl'), times);
  const job = measure(() => {
    const { job: made, diagnostics } = parseJob({ source, filename: 'bench.nomad.hcl' });
    if (made === null) throw new Error(`${diagnostics[0].summary}; ${diagnostics[0].detail} ${diagnostics[0].subject}`);
  }, times);
  rows.push({ bytes: source.length, tree, job });
}

if (process.argv.includes('-json')) console.log(JSON.stringify({ firstMs, rows }));
else {
  console.log(`Node ${process.version}, ${cpus().length} × ${cpus()[0].model}, load ${loadavg()[0].toFixed(1)}`);
  console.log(`10 MB, the first file of the process, to the job: ${firstMs.toFixed(0)} ms\n`);
  console.log('| file | tree: clock | CPU | MB/s of CPU | allocated | job: clock | CPU | MB/s of CPU | allocated | job : tree |');
  console.log('|---|---|---|---|---|---|---|---|---|---|');
  for (const { bytes, tree, job } of rows) {
    const time = (ms) => `${ms < 10 ? ms.toFixed(2) : ms.toFixed(0)} ms`;
    const cells = [tree, job].flatMap(({ ms, cpuMs, allocated }) => [
      time(ms),
      time(cpuMs),
      (bytes / 1000 / cpuMs).toFixed(1),
      `${(allocated / 1e6).toFixed(allocated < 1e7 ? 2 : 0)} MB`,
    ]);
    console.log(`| ${(bytes / 1000).toFixed(0)} kB | ${cells.join(' | ')} | ${(job.cpuMs / tree.cpuMs).toFixed(1)} |`);
  }
}
