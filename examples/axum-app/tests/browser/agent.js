// One tab of a page that refreshes with plain fetch. It shares the cookie with the other tabs and nothing else.
//
// It does what a message of the channel orders, and reports.

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

let accessToken = null;

async function refresh() {
  const began = performance.now();
  let status = 0; // no answer came
  try {
    const answer = await fetch('/auth/refresh', { method: 'POST' });
    const body = await answer.json();
    if (answer.ok) accessToken = body.access_token;
    status = answer.status;
  } catch {}
  return { status, took: performance.now() - began };
}

// A call that needs the access token; the answer's status and the session.
async function call() {
  const headers = { Authorization: `Bearer ${accessToken}` };
  const answer = await fetch('/api/me', { headers });
  return { status: answer.status, session: answer.ok ? (await answer.json()).session_id : null };
}

const orders = {
  // All tabs begin at the same instant, and go on each in its own time.
  async refresh({ at, times, pauses }) {
    await pause(at - Date.now());
    const answers = [await refresh()];
    while (answers.length < times) {
      await pause(Math.random() * pauses);
      answers.push(await refresh());
    }
    return answers;
  },
  call,
};

const channel = new BroadcastChannel('orders');
channel.onmessage = async ({ data: { order } }) => {
  if (order) channel.postMessage({ report: await orders[order.name](order) });
};
