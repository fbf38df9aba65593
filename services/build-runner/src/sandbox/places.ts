/** Where a confined command finds its folders: the same for every build. */
export const PLACES = {
  build: '/floy/build',
  artifact: '/floy/artifact',
  repository: '/floy/repository',
  settings: '/floy/settings',
  home: '/floy/home',
} as const;
