import { networkInterfaces } from 'node:os';
import { describe, expect, it } from 'vitest';
import { refuseTasks } from './task-peers.ts';

const check = refuseTasks(() => []);
const local = { localAddress: '192.0.2.1', localPort: 4646 };
/** Of documentation (RFC 5737): nobody's. */
const elsewhere = '198.51.100.7';
const addresses = Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address));

describe.skipIf(process.platform !== 'linux')('of connections whose other end the kernel does not list', () => {
  it('those of another host are served', async () => {
    await check({ remoteAddress: elsewhere, remotePort: 1, ...local }, true);
    await check({ remoteAddress: `::ffff:${elsewhere}`, remotePort: 1, ...local }, true);
  });

  it.each(addresses)(
    'those of an address of this host (%s), whichever it was called by, are refused',
    async (remoteAddress) => {
      const refused = { kind: 'denied' };
      await expect(check({ remoteAddress, remotePort: 1, ...local }, true)).rejects.toMatchObject(refused);
      if (remoteAddress.includes(':')) return;
      const mapped = `::ffff:${remoteAddress}`;
      await expect(check({ remoteAddress: mapped, remotePort: 1, ...local }, true)).rejects.toMatchObject(refused);
    },
  );

  it('one that has no address any more is refused, and one over no network is served', async () => {
    await expect(check(local, true)).rejects.toMatchObject({ kind: 'denied' });
    await check({}, false);
  });
});
