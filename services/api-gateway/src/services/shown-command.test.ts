import { expect, it } from '@jest/globals';
import { createRedactor } from '@floy/secrets/redaction';
import { shownCommand } from './shown-command.js';

const redactor = createRedactor();
redactor.add(['kn0wn-s3cret']);

it.each([
  ['systemctl restart web', 'systemctl restart web'],
  ['echo  kn0wn-s3cret | tee x', 'echo  *** | tee x'],
  ['echo a24wd24tczztgy3smv2a== kn0wn-s3cret', 'echo a24wd24tczztgy3smv2a== ***'],
  ['PGPASSWORD=x psql -h db', 'PGPASSWORD=*** psql -h db'],
  ['tool --token=x --verbose', 'tool --token=*** --verbose'],
  ['tool --token x --verbose', 'tool --token *** --verbose'],
  [`curl -H "Authorization: Bearer x" https://h`, `curl -H "Authorization: Bearer *** https://h`],
  ['git pull https://me:x@h/r.git', 'git pull https://me:***@h/r.git'],
  ['git pull https://h/r.git@v1', 'git pull https://h/r.git@v1'],
])('the audit shows %j as %j', (command, shown) => {
  expect(shownCommand(command, redactor)).toBe(shown);
});
