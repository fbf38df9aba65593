import { createServer } from 'node:http';
import { greeting } from './greeting.mjs';

/** The greeter: `/` says hello and which version says so, `/healthz` whether it could. */
export function createService({ version, commit, instance }) {
  return createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://greeter');
    try {
      const { text, colour } = greeting();
      const about = { service: 'greeter', version, commit, instance, greeting: text };
      if (pathname === '/healthz') return answerJson(response, 200, { status: 'ok', version });
      if (pathname !== '/') return answerJson(response, 404, { error: 'there is nothing here' });
      if (request.headers.accept?.includes('text/html')) return answerPage(response, about, colour);
      answerJson(response, 200, about);
    } catch (error) {
      answerJson(response, 500, { status: 'broken', version, error: error.message });
    }
  });
}

function answerJson(response, status, body) {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(body)}\n`);
}

function answerPage(response, { version, commit, instance, greeting: text }, colour) {
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
  response.end(`<!doctype html>
<title>greeter ${version}</title>
<body style="font: 1.2rem system-ui; color: white; background: ${colour}; padding: 3rem">
<h1>${text}</h1>
<p>greeter ${version} (${commit.slice(0, 12)}) on ${instance}</p>
`);
}
