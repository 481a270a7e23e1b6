// A registry of one image, for tests: node scratch-registry.mjs DIRECTORY PORT [closed]. Serves manifest.json and blobs by digest under
// any name; never answers where a name begins with "slow"; a closed one asks for user "me" with password "secret".
import { createReadStream, existsSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';

const [directory, port, closed] = process.argv.slice(2);
const wanted = `Basic ${Buffer.from('me:secret').toString('base64')}`;
const manifestType = 'application/vnd.docker.distribution.manifest.v2+json';

createServer((request, response) => {
  const { pathname } = new URL(request.url, 'http://registry');
  console.log(`${request.method} ${pathname}`);
  response.setHeader('Docker-Distribution-Api-Version', 'registry/2.0');
  if (closed !== undefined && request.headers.authorization !== wanted) {
    response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="registry"' });
    return response.end('{"errors":[{"code":"UNAUTHORIZED","message":"who are you"}]}');
  }
  if (pathname.startsWith('/v2/slow')) return request.on('close', () => console.log(`gone ${pathname}`));
  if (pathname === '/v2/') return response.end('{}');
  const [, kind, name] = /^\/v2\/.+\/(manifests|blobs)\/(.+)$/.exec(pathname) ?? [];
  if (kind === 'manifests' && name !== 'none') {
    const digest = readFileSync(join(directory, 'digest'), 'utf8');
    const manifest = readFileSync(join(directory, 'manifest.json'));
    const head = { 'Content-Type': manifestType, 'Docker-Content-Digest': digest, 'Content-Length': manifest.length };
    response.writeHead(200, head);
    return response.end(request.method === 'HEAD' ? undefined : manifest);
  }
  const path = join(directory, String(name).replace(':', '-'));
  if (kind !== 'blobs' || !existsSync(path)) {
    response.writeHead(404);
    return response.end('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"no such thing"}]}');
  }
  response.writeHead(200, { 'Content-Length': statSync(path).size });
  createReadStream(path).pipe(response);
}).listen(Number(port), '127.0.0.1', () => console.log('listening'));
