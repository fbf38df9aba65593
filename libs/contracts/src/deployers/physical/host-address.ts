/**
 * The one way to write a host's address, so that another way to write it is no other host: names in
 * lower case without a dot at the end, addresses in their shortest form. Names are not resolved.
 */
export function hostAddress(host: string): string {
  const [address = '', zone] = host.toLowerCase().split('%');
  const text = address.includes(':') ? `[${address}]` : address.replace(/\.$/, '');
  const url = `http://${text}/`;
  if (!URL.canParse(url)) return host.toLowerCase();
  const { hostname } = new URL(url);
  const short = hostname.replace(/^\[(.*)\]$/, '$1');
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(short);
  if (mapped) {
    const [high = 0, low = 0] = mapped.slice(1).map((word) => Number.parseInt(word, 16));
    return [high >> 8, high & 255, low >> 8, low & 255].join('.');
  }
  return zone === undefined ? short : `${short}%${zone}`;
}
