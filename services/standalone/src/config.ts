import { coreSettings, settings as all } from '@floy/service-kit/settings';
import { Type, type Static } from 'typebox';

/** What one machine can be told. What is left out is made or found below FLOY_HOME. */
export const settings = Type.Object({
  ...coreSettings,
  FLOY_HOME: Type.Optional(all.FLOY_HOME),
  FLOY_DATABASE_URL: Type.Optional(all.FLOY_DATABASE_URL),
  FLOY_ENCRYPTION_KEY: Type.Optional(all.FLOY_ENCRYPTION_KEY),
  FLOY_ADMIN_TOKEN: Type.Optional(all.FLOY_ADMIN_TOKEN),
  FLOY_ARTIFACTS: Type.Optional(all.FLOY_ARTIFACTS),
  FLOY_BUILD_USERS: all.FLOY_BUILD_USERS,
  FLOY_BUILD_UNCONFINED: all.FLOY_BUILD_UNCONFINED,
  FLOY_PRIVATE_GIT: all.FLOY_PRIVATE_GIT,
  FLOY_PACKAGE_HOSTS: all.FLOY_PACKAGE_HOSTS,
  FLOY_PUBLIC_URL: Type.Optional(all.FLOY_PUBLIC_URL),
  FLOY_HOST: all.FLOY_HOST,
  FLOY_PORT: all.FLOY_PORT,
});
/** See {@link settings}. */
export type StandaloneConfig = Static<typeof settings>;

export const env = process.env;
/** Files that Floy's settings are read from: builds must not see them. */
export const settingsFiles = Object.entries(env).flatMap(([name, file]) =>
  /^FLOY_.*_FILE$/.test(name) && file ? [file] : [],
);
