import type { Node } from '../../model/node.ts';

/** What a constraint's side means on a node: `${attr.kernel.name}` → `linux`; a text without `${` is itself; `undefined`: not there. */
export function resolveTarget(target: string, node: Node): string | undefined {
  if (!target.startsWith('${')) return target;
  const name = target.slice(2, target.endsWith('}') ? -1 : undefined);
  switch (name) {
    case 'node.unique.id':
      return node.ID;
    case 'node.unique.name':
      return node.Name;
    case 'node.datacenter':
      return node.Datacenter;
    case 'node.class':
      return node.NodeClass;
    case 'node.pool':
      return node.NodePool;
  }
  if (name.startsWith('attr.')) return own(node.Attributes, name.slice(5));
  if (name.startsWith('meta.')) return own(node.Meta, name.slice(5));
  return undefined;
}

function own(map: { readonly [key: string]: string } | null, key: string): string | undefined {
  return map !== null && Object.hasOwn(map, key) ? map[key] : undefined;
}

/** Nodes of one computed class may differ in what this names. */
export function isUnique(target: string): boolean {
  return /^\$\{(node|attr|meta)\.unique\./.test(target);
}
