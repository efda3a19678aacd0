// One call of each kind through Segment's SDK: node send.mjs WRITE_KEY HOST
import { Analytics } from "@segment/analytics-node";

const [writeKey, host] = process.argv.slice(2);
const analytics = new Analytics({ writeKey, host, flushAt: 3, maxRetries: 0 });
analytics.on("error", (error) => {
  console.error(error);
  process.exitCode = 1;
});
const ann = { userId: "ann", anonymousId: "a1" };
analytics.page({ anonymousId: "a1", category: "Docs", name: "Start" });
analytics.identify({ ...ann, traits: { plan: "pro", seats: 3 } });
analytics.group({ ...ann, groupId: "acme", traits: { name: "Acme" } });
analytics.track({ ...ann, event: "Bought", properties: { price: 1.5 } });
analytics.screen({ ...ann, name: "Home" });
analytics.alias({ userId: "ann", previousId: "a2" });
await analytics.closeAndFlush();
