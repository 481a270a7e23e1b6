import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseJob } from '../jobspec/index.ts';
import { fromHcl, group, job, task } from './index.ts';

const examples = path.resolve(import.meta.dirname, '../../examples');

describe('a job in TypeScript', () => {
  it('is the same as in HCL', () => {
    const typed = job('web', {
      datacenters: ['dc1', 'dc2'],
      priority: 70,
      meta: { owner: 'shop' },
      constraint: [{ attribute: '${attr.kernel.name}', value: 'linux' }, { distinct_hosts: true }],
      update: { max_parallel: 2, min_healthy_time: '15s' },
      group: {
        api: {
          count: 3,
          network: { mode: 'bridge', port: { http: { to: 8080 }, admin: { static: 9000 } } },
          service: { name: 'web', port: 'http', check: { type: 'http', path: '/', interval: '10s', timeout: 2e9 } },
          task: {
            server: {
              driver: 'docker',
              kill_timeout: '20s',
              config: { image: 'nginx:1', ports: ['http'] },
              env: { MODE: 'fast', LIMIT: 5, DEBUG: false },
              template: { data: 'a', destination: 'local/a', change_mode: 'noop' },
              resources: { cpu: 200, memory: 128 },
            },
          },
        },
      },
    });
    const source = `
      job "web" {
        datacenters = ["dc1", "dc2"]
        priority    = 70
        meta { owner = "shop" }
        constraint {
          attribute = "\${attr.kernel.name}"
          value     = "linux"
        }
        constraint { distinct_hosts = true }
        update {
          max_parallel     = 2
          min_healthy_time = "15s"
        }
        group "api" {
          count = 3
          network {
            mode = "bridge"
            port "http" { to = 8080 }
            port "admin" { static = 9000 }
          }
          service {
            name = "web"
            port = "http"
            check {
              type     = "http"
              path     = "/"
              interval = "10s"
              timeout  = "2s"
            }
          }
          task "server" {
            driver       = "docker"
            kill_timeout = "20s"
            config {
              image = "nginx:1"
              ports = ["http"]
            }
            env {
              MODE  = "fast"
              LIMIT = 5
              DEBUG = false
            }
            template {
              data        = "a"
              destination = "local/a"
              change_mode = "noop"
            }
            resources {
              cpu    = 200
              memory = 128
            }
          }
        }
      }`;
    const { job: written, diagnostics } = parseJob({ source, filename: 'web.nomad.hcl' });
    expect(diagnostics).toEqual([]);
    expect(typed).toEqual(written);
  });

  it('may be mixed with HCL: whole jobs, groups and tasks can be spread', () => {
    const base = fromHcl(path.join(examples, 'hello.nomad.hcl'));
    const more = group('more', { task: { one: { driver: 'mock_driver' } } });
    const two = task('two', { driver: 'mock_driver' });
    const mixed = {
      ...base,
      Priority: 80,
      TaskGroups: [...base.TaskGroups!, { ...more, Tasks: [...more.Tasks!, two] }],
    };
    expect(mixed.ID).toBe(base.ID);
    expect(mixed.TaskGroups.map((each) => each!.Name)).toEqual([base.TaskGroups![0]!.Name, 'more']);
    expect(mixed.TaskGroups[1]!.Tasks!.map((each) => each!.Name)).toEqual(['one', 'two']);
  });

  it('gives variables to a file in HCL', () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'drover-job-'));
    const file = path.join(folder, 'a.nomad.hcl');
    writeFileSync(
      file,
      'variable "n" {\n  type = list(number)\n}\njob "a" {\n  meta {\n    n = jsonencode(var.n)\n  }\n}\n',
    );
    expect(fromHcl(file, { variables: { n: [1, 2] } }).Meta).toEqual({ n: '[1,2]' });
    rmSync(folder, { recursive: true });
  });

  it('says what is wrong, all of it', () => {
    const body = { prority: 5, group: { a: { count: 'many' } } } as object;
    expect(() => job('web', body)).toThrow(/prority[\s\S]*number/);
  });

  it.each(readdirSync(examples).filter((name) => name.endsWith('.nomad.hcl')))(
    '%s reads the same through fromHcl',
    (name) => {
      const file = path.join(examples, name);
      const { job: parsed } = parseJob({ source: readFileSync(file), filename: name });
      expect(fromHcl(file)).toEqual(parsed);
    },
  );
});
