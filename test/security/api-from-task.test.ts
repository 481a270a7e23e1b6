/**
 * The API must not be the way out of a sandbox: a task that shares the host's network tries to submit a raw_exec job.
 * Control: the same attack, from the same task, succeeds where the operator switched the protection off.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AgentProcess, eventually, startAgent } from '../agent-process.ts';
import { canMapIds, subordinates, withSubordinateIds } from '../subordinate-ids.ts';

const [prctl, sendmsg] = process.arch === 'arm64' ? [167, 211] : [157, 46];
const body =
  '{"Job":{"ID":"escape","Name":"escape","Type":"batch","Datacenters":["*"],"TaskGroups":[{"Name":"g","Tasks":[{"Name":"t","Driver":"raw_exec","Config":{"command":"/bin/true"},"Resources":{"CPU":20,"MemoryMB":32}}]}]}}';
const connect = `my $body = '${body}'; $body =~ s/escape/escape-$ENV{NUMBER}/g; my $socket = IO::Socket::INET->new("127.0.0.1:$ENV{API_PORT}") or die "connect: $!";`;
const send =
  'print $socket "PUT /v1/jobs HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\nConnection: close\\r\\nContent-Length: " . length($body) . "\\r\\n\\r\\n$body"; $socket->flush;';
const answer = 'print scalar <$socket>;';
/** What the task does; an answer of its own is not always seen. */
const attacks: readonly (readonly [name: string, script: string])[] = [
  ['asks plainly', `${connect} ${send} ${answer}`],
  ['cannot be looked into', `syscall(${prctl}, 4, 0, 0, 0, 0); ${connect} ${send} ${answer}`],
  ['closes at once', `${connect} ${send} close $socket; sleep 1;`],
  [
    'resets its connection before it is seen who it is',
    `use Socket; for (1 .. 200) { ${connect} setsockopt($socket, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0)) or die "linger: $!"; ${send} close $socket; } sleep 2;`,
  ],
  [
    'has its socket on the way between two others while it is looked for',
    `socketpair(my $a, my $b, 1, 1, 0); ${connect} ${send} my $byte = 'x';
     my $vector = pack('P Q', $byte, 1); my $control = pack('Q i i i x4', 20, 1, 1, fileno $socket);
     my $message = pack('Q Q P Q P Q Q', 0, 0, $vector, 1, $control, length $control, 0);
     syscall(${sendmsg}, fileno $a, $message, 0) == 1 or die "sendmsg: $!"; close $socket; sleep 2;`,
  ],
];

/** `number`: of the attack, in the names of both jobs. */
const attacker = (script: string, port: number, number: number) => ({
  ID: `attacker-${number}`,
  Name: `attacker-${number}`,
  Type: 'batch',
  Datacenters: ['*'],
  TaskGroups: [
    {
      Name: 'g',
      RestartPolicy: { Attempts: 0, Mode: 'fail' },
      Tasks: [
        {
          Name: 't',
          Driver: 'exec',
          Config: { command: '/usr/bin/perl', args: ['-MIO::Socket::INET', '-e', script] },
          Env: { API_PORT: String(port), NUMBER: String(number) },
          Resources: { CPU: 50, MemoryMB: 128 },
        },
      ],
    },
  ],
});

const root = process.getuid?.() === 0;

/** What the attacker has said. */
function endOf({ client }: AgentProcess, number = 0): Promise<string> {
  return eventually(async () => {
    const { value } = await client.jobs.allocations(`attacker-${number}`);
    const id = value[0]?.ID;
    if (id === undefined || !['complete', 'failed'].includes(value[0]!.ClientStatus))
      throw new Error(`the attacker is ${value[0]?.ClientStatus}`);
    let text = '';
    for await (const frame of client.files.logs(id, { task: 't', type: 'stdout' }))
      text += Buffer.from(frame.data).toString();
    return text;
  }, 90_000);
}

const agents = [
  { who: root ? 'root' : 'this user', user: undefined, opened: false },
  { who: root ? 'root' : 'this user', user: undefined, opened: true },
  { who: 'an unprivileged user', user: 61_234, opened: false },
  { who: 'an unprivileged user', user: 61_234, opened: true },
].filter(({ user }) => root || user === undefined);

describe.each(agents)(
  'under an agent of $who, a sandboxed task that asks the API (switched off: $opened)',
  ({ user, opened }) => {
    let agent: AgentProcess;
    beforeAll(async () => {
      const config = opened ? { api: { allow_tasks: true } } : {};
      agent = await startAgent({ config, ...(user === undefined ? {} : { user }) });
    }, 300_000);
    afterAll(() => agent?.dispose());

    const numbered = attacks.map(([name, script], number) => [name, script, number] as const);
    const jobs = async () => (await agent.client.jobs.list()).value.map((job) => job.ID);
    const answerTo = async (script: string, number: number): Promise<string> => {
      await agent.client.jobs.register(attacker(script, agent.port, number));
      return endOf(agent, number);
    };

    it.each(opened ? [] : numbered)('and %s is refused, and no job is there', async (_, script, number) => {
      const answer = await answerTo(script, number);
      const { value: nodes } = await agent.client.nodes.list();
      const { value: node } = await agent.client.nodes.read(nodes[0]!.ID);
      expect(['sandbox', 'container']).toContain(node.Attributes?.['driver.exec.isolation']);
      expect(answer).toMatch(/^HTTP\/1.1 403|^$/);
      expect((await jobs()).filter((id) => id.startsWith('escape'))).toEqual([]);
    });

    it.each(opened ? numbered : [])('and %s gets through (control)', async (name, script, number) => {
      expect(await answerTo(script, number)).toMatch(/^HTTP\/1.1 200|^$/);
      // who is gone when the answer is due may have asked for nothing: then there is no attack either
      if (name !== 'closes at once') await eventually(async () => expect(await jobs()).toContain(`escape-${number}`));
    });
  },
);

describe.skipIf(!root || !canMapIds)('under an agent of an ordinary user that has ids for its tasks', () => {
  it('a sandboxed task that asks the API has another uid, and is refused all the same', async () => {
    const uid = 61_234;
    const agent = await startAgent({ user: uid, wrap: withSubordinateIds(uid) });
    try {
      const [, plainly = ''] = attacks[0] ?? [];
      const script = `print "$>:"; ${plainly}`;
      await agent.client.jobs.register(attacker(script, agent.port, 0));
      const text = await endOf(agent);
      const report = await agent.client.jobs
        .allocations('attacker-0')
        .then(({ value }) => agent.client.allocations.isolation(value[0]!.ID));
      const id = report.value['t']?.mechanisms.find(({ name }) => name === 'unique_uid');
      const { first, count } = subordinates;
      const [, host = ''] = /uid (\d+)/.exec(id?.evidence ?? '') ?? [];
      expect(Number(host)).toBeGreaterThanOrEqual(first);
      expect(Number(host)).toBeLessThan(first + count);
      expect(text).toMatch(/^\d+:HTTP\/1.1 403/);
      expect((await agent.client.jobs.list()).value.map(({ ID }) => ID)).toEqual(['attacker-0']);
    } finally {
      await agent.dispose();
    }
  });
});
