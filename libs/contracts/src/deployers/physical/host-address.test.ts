import { describe, expect, it } from '@jest/globals';
import { hostAddress } from './host-address.js';

describe("a host's address", () => {
  it.each([
    ['web.example.com', ['WEB.Example.COM', 'web.example.com.', 'web.example.com']],
    ['my_host', ['MY_HOST', 'my_host.']],
    ['127.0.0.1', ['127.1', '0x7f.0.0.1', '2130706433', '::ffff:127.0.0.1', '::FFFF:7f00:1']],
    ['::1', ['0:0:0:0:0:0:0:1', '::0001', '0::1']],
    ['2001:db8::a', ['2001:DB8:0:0::A', '2001:0db8:0000:0000:0000:0000:0000:000a']],
    ['fe80::1%eth0', ['FE80::1%eth0', 'fe80:0::1%ETH0']],
  ])('is %s, however it is written', (address, ways) => {
    for (const way of ways) expect([way, hostAddress(way)]).toEqual([way, address]);
  });

  it('stays another one where it is another one', () => {
    const others = [
      'a.example',
      'b.example',
      'a.example.com',
      '10.0.0.1',
      '10.0.0.10',
      '::2',
      '::',
    ];
    expect(new Set(others.map(hostAddress)).size).toBe(others.length);
  });
});
