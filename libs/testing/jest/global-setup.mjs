import { makeRunFolder } from './run-folder.mjs';

export default async function globalSetup() {
  process.env.FLOY_TEST_RUN = await makeRunFolder();
}
