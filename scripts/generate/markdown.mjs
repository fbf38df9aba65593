/** A table of Markdown. Cells may hold anything but line breaks. */
export function table(head, rows) {
  const line = (cells) => `| ${cells.map(escaped).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line), ''].join('\n');
}

/** As code, or nothing for nothing. */
export function code(text) {
  return text === '' ? '' : `\`${text}\``;
}

/** The first lines of every generated page. */
export function heading(title, source) {
  return `<!-- Made by \`npm run generate\`; changes by hand are lost. -->\n\n# ${title}\n\n${source}\n`;
}

function escaped(cell) {
  return cell.replaceAll('|', '\\|').replaceAll('\n', ' ');
}

/** The text of a doc comment as one line. */
export function commentText(comment) {
  return comment
    .replace(/^\s*\/\*\*/, '')
    .replace(/\*\/\s*$/, '')
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, '').trim())
    .join(' ')
    .trim();
}
