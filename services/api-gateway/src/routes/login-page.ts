/** The page that makes a session from a token. `problem` is shown when one was refused. */
export function loginPage(problem?: string): string {
  const alert = problem === undefined ? '' : `<p role="alert">${escaped(problem)}</p>`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Floy: log in</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 24rem; margin: 20vh auto 0; padding: 0 1rem }
label, input, button { display: block; width: 100%; box-sizing: border-box; font: inherit }
input, button { margin-top: .5rem; padding: .5rem }
[role=alert] { color: #b00020 }
@media (prefers-color-scheme: dark) { body { background: #111; color: #eee } }
</style>
</head>
<body>
<h1>Floy</h1>
${alert}
<form method="post" action="/admin/login">
<label for="token">Token of an admin</label>
<input id="token" name="token" type="password" required autofocus autocomplete="off">
<button>Log in</button>
</form>
</body>
</html>
`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
