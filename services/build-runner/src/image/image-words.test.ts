import { VerdictError } from '@floy/domain';
import { describe, expect, it } from '@jest/globals';
import {
  authFile,
  buildWords,
  digestWords,
  imageReference,
  pushWords,
  removeLayersWords,
} from './image-words.js';

const build = {
  folder: '/w',
  file: '/w/deploy/Dockerfile',
  buildArgs: { VERSION: 'v1 "x"', EMPTY: '' },
  reference: 'registry.example.com/team/shop:v1.0.0',
  authFolder: '/auth',
};
const buildah = { kind: 'buildah', program: '/usr/bin/buildah' } as const;
const docker = { kind: 'docker', program: '/usr/bin/docker' } as const;

describe('command lines', () => {
  it.each([
    [
      buildWords(buildah, build),
      [
        ...['/usr/bin/buildah', 'build', '--authfile=/auth/config.json'],
        ...['--file=/w/deploy/Dockerfile', '--tag=registry.example.com/team/shop:v1.0.0'],
        ...['--build-arg=VERSION=v1 "x"', '--build-arg=EMPTY=', '/w'],
      ],
    ],
    [
      buildWords({ ...buildah, ownStorage: true }, { ...build, buildArgs: {} }),
      [
        ...['/usr/bin/buildah', '--root=/auth/layers', '--runroot=/auth/run', 'build'],
        ...['--authfile=/auth/config.json', '--file=/w/deploy/Dockerfile'],
        ...['--tag=registry.example.com/team/shop:v1.0.0', '/w'],
      ],
    ],
    [
      buildWords(docker, build),
      [
        ...['/usr/bin/docker', '--config=/auth', 'build', '--file=/w/deploy/Dockerfile'],
        ...['--tag=registry.example.com/team/shop:v1.0.0', '--build-arg=VERSION=v1 "x"'],
        ...['--build-arg=EMPTY=', '/w'],
      ],
    ],
    [
      pushWords(buildah, build),
      [
        ...[
          '/usr/bin/buildah',
          'push',
          '--authfile=/auth/config.json',
          '--digestfile=/auth/digest',
        ],
        'registry.example.com/team/shop:v1.0.0',
        'docker://registry.example.com/team/shop:v1.0.0',
      ],
    ],
    [
      pushWords(docker, build),
      ['/usr/bin/docker', '--config=/auth', 'push', 'registry.example.com/team/shop:v1.0.0'],
    ],
    [
      digestWords(docker, build),
      [
        ...['/usr/bin/docker', '--config=/auth', 'image', 'inspect'],
        '--format={{range .RepoDigests}}{{println .}}{{end}}',
        'registry.example.com/team/shop:v1.0.0',
      ],
    ],
    [digestWords(buildah, build), undefined],
    [
      removeLayersWords({ ...buildah, ownStorage: true }, build),
      ['/usr/bin/buildah', 'unshare', 'rm', '-rf', '--', '/auth/layers', '/auth/run'],
    ],
    [removeLayersWords(buildah, build), undefined],
  ])('%#', (line, expected) => {
    expect(line).toEqual(expected);
  });

  it('refuse arguments with impossible names', () => {
    const buildArgs = { '--privileged': 'x' };
    expect(() => buildWords(docker, { ...build, buildArgs })).toThrow(VerdictError);
  });
});

describe('an image reference', () => {
  it.each([
    ['ghcr.io/org/', 'My Shop', 'v1.0.0', 'ghcr.io/org/my-shop:v1.0.0'],
    ['localhost:5000', 'a', 'release/2024+1', 'localhost:5000/a:release-2024-1'],
    ['docker.io/me', '商店', '-', 'docker.io/me/app:latest'],
  ])('%s %s %s', (registry, name, tag, expected) => {
    expect(imageReference(registry, name, tag)).toBe(expected);
  });

  it.each(['', 'https://ghcr.io/org', '-x', 'ghcr.io/Org', 'ghcr.io/a b', 'ghcr.io/a:b', 'a/../b'])(
    'refuses the registry %j',
    (registry) => {
      expect(() => imageReference(registry, 'a', 'b')).toThrow(VerdictError);
    },
  );
});

describe('the file with credentials', () => {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const auths = { 'ghcr.io': { auth: base64('me:pass:word') } };

  it('is made of any of the forms people have them in', () => {
    const config = JSON.stringify({ auths, credsStore: 'evil', credHelpers: { a: 'evil' } });
    for (const form of ['me:pass:word', base64('me:pass:word'), config, base64(config)]) {
      expect(JSON.parse(authFile('ghcr.io/org', form))).toEqual({ auths });
    }
    expect(JSON.parse(authFile('ghcr.io', undefined))).toEqual({ auths: {} });
    expect(Object.keys(JSON.parse(authFile('docker.io/me', 'a:b')).auths)).toEqual([
      'docker.io',
      'https://index.docker.io/v1/',
    ]);
  });

  it('is refused without showing what it was', () => {
    for (const form of ['s3cret', '{"x":1}', ':s3cret', 'me:', 'a\nb:s3cret']) {
      expect(() => authFile('ghcr.io', form)).toThrow(/^registry_auth is neither [^]*"auths"$/);
    }
  });
});
