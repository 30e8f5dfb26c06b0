import t from 'tap';
import { kindOf, liesIn, parseBlock } from '../../agent/inputs/address.ts';

t.test('every form of an address is told for what it is', async (t) => {
  const kinds = {
    public: [
      '8.8.8.8',
      '1.1.1.1',
      '172.32.0.1',
      '100.128.0.1',
      '2606:4700::1111',
      '::ffff:8.8.8.8',
    ],
    loopback: [
      '127.0.0.1',
      '127.255.255.254',
      '::1',
      '::ffff:127.0.0.1',
      '::ffff:7f00:1',
      '::127.0.0.1',
    ],
    private: ['10.1.2.3', '172.16.0.1', '172.31.255.255', '192.168.0.1', 'fd12::1', 'fc00::1'],
    'link-local': ['169.254.1.1', 'fe80::1', 'fe80::1%eth0', 'febf::1'],
    shared: ['100.64.0.1', '100.127.255.255'],
    metadata: [
      '169.254.169.254',
      '100.100.100.200',
      '168.63.129.16',
      'fd00:ec2::254',
      '::ffff:a9fe:a9fe',
    ],
    unspecified: ['0.0.0.0', '0.1.2.3', '::', '::ffff:0.0.0.0'],
    multicast: ['224.0.0.1', '239.255.255.255', 'ff02::1'],
    reserved: [
      '255.255.255.255',
      '240.0.0.1',
      '192.0.2.1',
      '198.18.0.1',
      '2001:db8::1',
      '2002:7f00:1::',
      '2001::1',
      '4000::1',
      'nonsense',
    ],
  };
  for (const [kind, addresses] of Object.entries(kinds))
    for (const address of addresses) t.equal(kindOf(address), kind, address);
  t.equal(kindOf('64:ff9b::7f00:1'), 'loopback', 'NAT64 of 127.0.0.1');
  t.equal(kindOf('64:ff9b::808:808'), 'public', 'NAT64 of 8.8.8.8');
  t.equal(kindOf('64:ff9b:1::808:808'), 'private', 'NAT64 of a network of its own');
});

t.test('blocks of an operator hold what lies in them, in any form', async (t) => {
  const holds = (block: string, address: string): boolean => {
    const parsed = parseBlock(block);
    return parsed !== undefined && liesIn(address, parsed);
  };
  t.ok(holds('10.1.0.0/16', '10.1.255.255'));
  t.notOk(holds('10.1.0.0/16', '10.2.0.0'));
  t.ok(holds('10.1.0.0/17', '10.1.127.1'));
  t.notOk(holds('10.1.0.0/17', '10.1.128.1'));
  t.ok(holds('127.0.0.1', '::ffff:127.0.0.1'));
  t.ok(holds('fd00::/8', 'fdff::1'));
  t.notOk(holds('fd00::/8', 'fe00::1'));
  for (const text of ['10.0.0.0/33', 'fd00::/129', 'host', '', '10.0.0/8'])
    t.equal(parseBlock(text), undefined, text);
});
