import { coreSettings, settings as all } from '@floy/service-kit/settings';
import { Type } from 'typebox';

export const settings = Type.Object({
  ...coreSettings,
  FLOY_ARTIFACTS: all.FLOY_ARTIFACTS,
  FLOY_BUILD_USER: all.FLOY_BUILD_USER,
  FLOY_PACKAGE_HOSTS: all.FLOY_PACKAGE_HOSTS,
});
export const env = process.env;
