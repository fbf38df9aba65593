import type { Express } from 'express';

export interface DocsOptions {
  /** Where the page is served, such as `/api/v1/docs`. */
  readonly path: string;
  /** Where the document is served that it shows. */
  readonly documentPath: string;
  /** The folder of `swagger-ui-dist`. */
  readonly assets: string;
}

// The page may load and ask this server alone, and nobody may frame it.
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** A page that shows an OpenAPI document and loads nothing from elsewhere. */
export function mountDocs(app: Express, options: DocsOptions): void {
  const { path, documentPath, assets } = options;
  app.use(path, (_request, response, next) => {
    response.setHeader('Content-Security-Policy', policy);
    next();
  });
  app.get(path, (_request, response) => {
    response.type('html').send(page(path));
  });
  app.get(`${path}/start.js`, (_request, response) => {
    response.type('js').send(start(documentPath));
  });
  const files = ['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png'];
  for (const file of files) {
    app.get(`${path}/${file}`, (_request, response) => {
      response.setHeader('Cache-Control', 'public, max-age=3600');
      response.sendFile(file, { root: assets });
    });
  }
}

function page(path: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Floy API</title>
<link rel="icon" href="${path}/favicon-32x32.png">
<link rel="stylesheet" href="${path}/swagger-ui.css">
</head>
<body>
<div id="docs"></div>
<script src="${path}/swagger-ui-bundle.js"></script>
<script src="${path}/start.js"></script>
</body>
</html>
`;
}

function start(documentPath: string): string {
  const settings = {
    url: documentPath,
    dom_id: '#docs',
    deepLinking: true,
    validatorUrl: null,
    persistAuthorization: false,
  };
  return `SwaggerUIBundle(${JSON.stringify(settings)});\n`;
}
