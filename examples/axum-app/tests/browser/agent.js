// One tab of a page that refreshes with plain fetch. It shares the cookie with the other tabs and nothing else.
//
// It executes the orders that arrive on the channel, and sends a report of each.

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

let accessToken = null;

async function refresh() {
  const began = performance.now();
  let status = 0; // no response
  try {
    const response = await fetch('/auth/refresh', { method: 'POST' });
    const body = await response.json();
    if (response.ok) accessToken = body.access_token;
    status = response.status;
  } catch {}
  return { status, took: performance.now() - began };
}

// Calls the API with the access token; returns the status and the session.
async function call() {
  const headers = { Authorization: `Bearer ${accessToken}` };
  const response = await fetch('/api/me', { headers });
  return { status: response.status, session: response.ok ? (await response.json()).session_id : null };
}

const orders = {
  // All tabs begin at the same instant, and continue after random pauses.
  async refresh({ at, times, pauses }) {
    await pause(at - Date.now());
    const refreshes = [await refresh()];
    while (refreshes.length < times) {
      await pause(Math.random() * pauses);
      refreshes.push(await refresh());
    }
    return refreshes;
  },
  call,
};

const channel = new BroadcastChannel('orders');
channel.onmessage = async ({ data: { order } }) => {
  if (order) channel.postMessage({ report: await orders[order.name](order) });
};
