import { coreSettings, settings as all } from '@floy/service-kit/settings';
import { Type } from 'typebox';

export const settings = Type.Object({
  ...coreSettings,
  FLOY_ARTIFACTS: all.FLOY_ARTIFACTS,
  FLOY_PUBLIC_URL: Type.Optional(all.FLOY_PUBLIC_URL),
});
export const env = process.env;
