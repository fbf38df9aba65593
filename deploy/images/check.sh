#!/usr/bin/env bash
# Tries what `build.sh app` has made: check.sh TARGET. Every program has to load and to ask for its
# settings (exit 78), which it can only with all of its packages there.
set -euo pipefail
cd "${1:?TARGET is missing}"
for main in services/*/dist/main.js services/standalone/dist/migrate.js; do
  case $main in services/standalone/dist/main.js) continue ;; esac
  status=0
  said=$(env -i PATH="$PATH" NODE_ENV=production node "$main" 2>&1) || status=$?
  if [[ $status -ne 78 || $said != *FLOY_DATABASE_URL* ]]; then
    printf '%s exited %s:\n%s\n' "$main" "$status" "$said" >&2
    exit 1
  fi
done
for left in node_modules/jest node_modules/typescript node_modules/testcontainers libs/testing; do
  if [[ -e $left ]]; then
    echo "$left does not belong in the image" >&2
    exit 1
  fi
done
du -sh .
