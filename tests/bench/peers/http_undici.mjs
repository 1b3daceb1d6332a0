// http_undici.mjs URL COUNT IN_FLIGHT
import { Agent, request } from "undici";

const [url, count, inFlight] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const dispatcher = new Agent({ connections: inFlight });
let left = count;

async function oneOfMany() {
  while (left-- > 0) {
    const { statusCode, body } = await request(url, { dispatcher });
    if (statusCode !== 200) throw new Error(`status ${statusCode}`);
    await body.arrayBuffer();
  }
}

await Promise.all(Array.from({ length: inFlight }, oneOfMany));
await dispatcher.close();
