// A container engine of a Go test's own: prints its endpoint and runs until stdin ends. What is missing for it: `lacking NAME…`.
import {
  lackingForDaemon,
  lackingForPodman,
  ScratchDaemon,
} from '../../../dist/driver-kit/container-engine/scratch-daemon.js';

const engine = process.argv[2];
const lacking = engine === 'podman' ? lackingForPodman : lackingForDaemon;
if (lacking.length > 0) console.log(`lacking ${lacking.join(' ')}`);
else {
  const daemon = await ScratchDaemon.open({ engine });
  console.log(daemon.endpoint);
  for await (const _ of process.stdin);
  await daemon.close();
}
