// Sends one of everything through posthog-node. Arguments: package name, host, token.
const [packageName, host, token] = process.argv.slice(2);
const { PostHog } = require(require.resolve(packageName, { paths: [process.cwd()] }));

async function main() {
  const failures = [];
  const client = new PostHog(token, { host, flushAt: 100, flushInterval: 0, fetchRetryCount: 0 });
  client.on('error', (error) => failures.push(String(error)));
  for (let i = 0; i < 12; i++) {
    client.capture({
      distinctId: `user-${i % 3}`,
      event: `order ${i}`,
      properties: { i, total: 12.5, text: 'ünï "q" \\ \u2028 </x>', nested: { list: [1, null, { a: true }] } },
      groups: { company: 'acme' },
    });
  }
  client.capture({ distinctId: 'user-1', event: 'with time', timestamp: new Date('2026-02-03T04:05:06.789Z') });
  client.identify({ distinctId: 'user-1', properties: { email: 'a@example.com', $set_once: { first: 1 } } });
  client.alias({ distinctId: 'user-1', alias: 'anon-9' });
  client.groupIdentify({ groupType: 'company', groupKey: 'acme', properties: { tier: 1 } });
  client.captureException(new Error('broken'), 'user-2');
  if (client.captureAi) client.captureAi({ distinctId: 'user-1', event: '$ai_generation', properties: { $ai_model: 'm' } });
  await client.flush();
  await client.shutdown(10000);
  if (failures.length) throw new Error(failures.join('\n'));
}

main().catch((error) => { console.error(error); process.exit(1); });
