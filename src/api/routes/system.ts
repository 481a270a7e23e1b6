import type { Route, WriteRoute } from '../route.ts';

const management = { capability: 'management', scope: 'none' } as const;

function command(path: string, run: WriteRoute['run']): WriteRoute {
  // PUT only, unlike most writes
  return { kind: 'write', methods: ['PUT'], path, access: management, run };
}

export const systemRoutes: readonly Route[] = [
  command('/v1/system/gc', async (_request, { commands }) => {
    await commands.collectGarbage();
    return {};
  }),
  command('/v1/system/reconcile/summaries', async (_request, { commands }) => {
    await commands.reconcileSummaries();
    return {};
  }),
];
