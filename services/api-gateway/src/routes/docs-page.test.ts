import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  apiText,
  applicationConfigProblems,
  configKeys,
  environmentConfigProblems,
  type EnvironmentType,
} from '@floy/contracts';
import { misfit, validate } from '@floy/service-kit/http-validation';
import { needsChromium, needsPostgres } from '@floy/testing/needs';
import { runFolder } from '@floy/testing/test-run';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { chromium, type Browser, type Page } from 'playwright-core';
import { startTestGateway, type Json, type TestGateway } from '../testing/gateway.js';
import { openApiDocument, routeTable } from './table.js';

const describePostgres = await needsPostgres();
const browserHere = await needsChromium();

const titleOf = (schema: object) => (schema as { title?: string }).title ?? '';
const examplesOf = (title: string) => Object.values(apiText.schemas[title]?.examples ?? {});
const schemas = (openApiDocument()['components'] as { schemas: Record<string, Json> }).schemas;

interface Body {
  readonly name: string;
  readonly type: EnvironmentType;
  readonly config: Json;
}

describe('the examples of the docs page are real', () => {
  const bodies = routeTable.flatMap(({ method, path, body }) =>
    body === undefined ? [] : [{ of: `${method} ${path}`, body }],
  );
  it.each(bodies)('the body of $of is taken as it stands', ({ body }) => {
    const examples = examplesOf(titleOf(body));
    expect(examples.length).toBeGreaterThan(0);
    for (const example of examples) {
      expect(() => validate(body, structuredClone(example), 'The example')).not.toThrow();
    }
  });

  const answers = routeTable.filter(
    ({ file, path }) => file === undefined && path !== '/openapi.json',
  );
  it.each(answers)('the answer of $method $path is described and fits', ({ answer }) => {
    const [example] = examplesOf(titleOf(answer));
    expect(apiText.schemas[titleOf(answer)]?.description).toEqual(expect.any(String));
    expect(misfit(answer, example)).toBeUndefined();
  });

  it('every field of a body or an answer has a meaning', () => {
    const silent = Object.entries(schemas).flatMap(([title, { properties = {} }]) =>
      Object.entries(properties as Record<string, Json>)
        .filter(([, { description }]) => description === undefined)
        .map(([name]) => `${title}.${name}`),
    );
    expect(silent).toEqual([]);
  });

  it('configs name keys that Floy knows, and are taken', () => {
    const environments = examplesOf('CreateEnvironmentRequest') as Body[];
    expect(environments.map(({ type }) => type).sort()).toEqual(['kubernetes', 'physical']);
    for (const { type, config } of environments) {
      expect(environmentConfigProblems(type, config)).toEqual({});
    }
    const applications = examplesOf('CreateApplicationRequest') as Body[];
    for (const { config } of applications) expect(applicationConfigProblems(config)).toEqual({});
    for (const { config } of [...environments, ...applications]) {
      expect(Object.keys(config).filter((name) => !Object.hasOwn(configKeys, name))).toEqual([]);
    }
  });
});

describePostgres('the docs page', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway();
  });
  afterAll(() => gateway.stop());

  it('its examples make a version, an application and environments, as they stand', async () => {
    const made = {
      Version: '/versions',
      Application: '/applications',
      Environment: '/environments',
    };
    for (const [kind, path] of Object.entries(made)) {
      for (const body of examplesOf(`Create${kind}Request`)) {
        expect(await gateway.send('POST', path, { body })).toMatchObject({ status: 201 });
      }
    }
  });

  browserHere.describe('in a browser', () => {
    let browser: Browser;
    let page: Page;
    const problems: string[] = [];
    beforeAll(async () => {
      const args = ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'];
      browser = await chromium.launch({ executablePath: browserHere.program, args });
      page = await browser.newPage({ viewport: { width: 1200, height: 1600 } });
      page.on('pageerror', (error) => problems.push(error.message));
      page.on('console', (line) => {
        if (line.type() === 'error') problems.push(line.text());
      });
      await page.goto(`${gateway.url}/api/v1/docs`);
    }, 60_000);
    afterAll(() => browser.close());

    const operation = '#operations-Environments-postEnvironments';

    it('shows a real example for POST /environments of each type', async () => {
      await page.locator(`${operation} .opblock-summary-control`).click();
      const shown = page.locator(`${operation} .opblock-section-request-body`);
      const picker = shown.locator('.examples-select-element');
      for (const [name, body] of Object.entries(
        apiText.schemas['CreateEnvironmentRequest']?.examples ?? {},
      )) {
        await picker.selectOption(name);
        const { type, config } = body as Body;
        const example = shown.locator('.highlight-code').filter({ hasText: `"type": "${type}"` });
        await example.waitFor();
        const text = (await example.innerText()).replace(/\s+/g, ' ');
        for (const key of Object.keys(config)) expect(text).toContain(`"${key}":`);
        expect(text).not.toMatch(/additionalProp|"string"/);
        await screenshot(`environment-${type}.png`);
      }
    }, 60_000);

    it('has the keys of a config with their meaning and default', async () => {
      const shown = page.locator(`${operation} .opblock-section-request-body`);
      await shown.getByRole('tab', { name: 'Schema' }).click();
      const config = shown.locator('.json-schema-2020-12-property', { hasText: /^config/ });
      await config.getByRole('button', { name: 'Expand all' }).first().click();
      await config.getByText('bake_seconds', { exact: true }).first().waitFor();
      await config.getByText('is looked at again; default').first().waitFor();
      await screenshot('environment-keys.png');
      expect(problems).toEqual([]);
    }, 60_000);

    /** Beside the other files of the run, or where FLOY_TEST_SCREENSHOTS says, for a person. */
    async function screenshot(name: string): Promise<void> {
      const folder = process.env['FLOY_TEST_SCREENSHOTS'] ?? runFolder();
      const image = await page.locator(operation).screenshot();
      await writeFile(join(folder, name), image);
      expect(image.byteLength).toBeGreaterThan(10_000);
    }
  });
});
