import { coreSettings, settings as all } from '@floy/service-kit/settings';
import { Type } from 'typebox';

export const settings = Type.Object({
  ...coreSettings,
  FLOY_HOME: Type.Optional(all.FLOY_HOME),
  FLOY_ARTIFACTS: all.FLOY_ARTIFACTS,
  FLOY_BUILD_USERS: all.FLOY_BUILD_USERS,
  FLOY_BUILD_UNCONFINED: all.FLOY_BUILD_UNCONFINED,
  FLOY_PRIVATE_GIT: all.FLOY_PRIVATE_GIT,
  FLOY_PACKAGE_HOSTS: all.FLOY_PACKAGE_HOSTS,
});
export const env = process.env;
/** Files that Floy's settings are read from: builds must not see them. */
export const settingsFiles = Object.entries(env).flatMap(([name, file]) =>
  /^FLOY_.*_FILE$/.test(name) && file ? [file] : [],
);
