/** One event of a `text/event-stream`. */
export interface StreamEvent {
  readonly id: string | undefined;
  readonly name: string;
  readonly data: string;
}

/** Reads a `text/event-stream`; comments and `retry` are skipped. */
export async function* parseEvents(
  body: ReadableStream<Uint8Array> | null,
): AsyncGenerator<StreamEvent, void, undefined> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of body ?? []) {
    // What was there before holds no end of an event: it is looked through once.
    let from = Math.max(0, text.length - 1);
    text += decoder.decode(chunk, { stream: true }).replaceAll('\r\n', '\n');
    let begin = 0;
    for (let end = text.indexOf('\n\n', from); end >= 0; end = text.indexOf('\n\n', from)) {
      const event = eventOf(text.slice(begin, end));
      begin = end + 2;
      from = begin;
      if (event !== undefined) yield event;
    }
    text = text.slice(begin);
  }
}

function eventOf(block: string): StreamEvent | undefined {
  let id: string | undefined;
  let name = 'message';
  const data: string[] = [];
  for (const line of block.split('\n')) {
    const [, field, value = ''] = /^(\w+): ?(.*)$/.exec(line) ?? [];
    if (field === 'id') id = value;
    if (field === 'event') name = value;
    if (field === 'data') data.push(value);
  }
  return data.length === 0 ? undefined : { id, name, data: data.join('\n') };
}
