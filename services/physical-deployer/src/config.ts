import { coreSettings, settings as all } from '@floy/service-kit/settings';
import { Type } from 'typebox';

export const settings = Type.Object({ ...coreSettings, FLOY_ARTIFACTS: all.FLOY_ARTIFACTS });
export const env = process.env;
